#include <algorithm>

#include "runtime/ops.h"

namespace assay::ops {

Tensor rope(Stream& s, const Columns& q, const Columns& k, const Columns& v, std::uint32_t heads,
            const Tensor& positions, const Tensor& slots, const Tensor& angles,
            const KeysValues& cache) {
    const DeviceInfo& device = s.device().info();
    const std::uint32_t workgroup = std::max(device.is_cpu ? 1u : 32u, device.subgroup_size);
    const std::uint32_t rows = q.of.rows(), head_dim = 2 * angles.shape[1];
    // A head is little work, and a CPU implementation pays for every workgroup.
    const std::uint32_t all_heads = heads + 2 * cache.kv_heads,
                        heads_at_once = device.is_cpu ? all_heads : 1;
    const Tensor turned = s.scratch(rows, heads * head_dim).heads(heads);
    s.dispatch(kernels::rope(cache.format).specialize(workgroup, heads_at_once),
               {.q = q.of,
                .k = k.of,
                .v = v.of,
                .turned = turned,
                .positions = positions,
                .slots = slots,
                .angles = angles,
                .keys = cache.keys,
                .values = cache.values,
                .q_row = q.of.row_size(),
                .k_row = k.of.row_size(),
                .v_row = v.of.row_size(),
                .q_first = q.first,
                .k_first = k.first,
                .v_first = v.first,
                .heads = heads,
                .kv_heads = cache.kv_heads,
                .head_dim = head_dim},
               {.x = rows, .y = all_heads / heads_at_once},
               {.bytes = 8.0 * rows * head_dim * all_heads});
    return turned;
}

}  // namespace assay::ops
