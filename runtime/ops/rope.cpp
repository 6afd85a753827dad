#include <algorithm>

#include "runtime/ops.h"

namespace assay::ops {

void rope(Stream& s, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& positions,
          const Tensor& slots, const Tensor& angles, const KeysValues& cache) {
    const DeviceInfo& device = s.device().info();
    const std::uint32_t workgroup = std::max(device.is_cpu ? 1u : 32u, device.subgroup_size);
    const std::uint32_t heads = q.shape[1], kv_heads = k.shape[1], head_dim = q.shape[2];
    s.dispatch(kernels::rope(cache.format).specialize(workgroup),
               {.q = q,
                .k = k,
                .v = v,
                .positions = positions,
                .slots = slots,
                .angles = angles,
                .keys = cache.keys,
                .values = cache.values,
                .heads = heads,
                .kv_heads = kv_heads,
                .head_dim = head_dim},
               {.x = q.rows(), .y = heads + 2 * kv_heads},
               {.bytes = 2.0 * static_cast<double>(q.bytes() + k.bytes() + v.bytes())});
}

}  // namespace assay::ops
