#include "runtime/ops.h"

namespace assay::ops {

Tensor rmsnorm(Stream& s, const Tensor& x, const Tensor& weight, float eps) {
    // A CPU implementation pays for every barrier.
    const DeviceInfo& device = s.device().info();
    const std::uint32_t workgroup = device.is_cpu ? device.subgroup_size : 128;
    Tensor y = s.scratch(x.rows(), x.row_size());
    s.dispatch(kernels::rmsnorm().specialize(workgroup, workgroup == device.subgroup_size),
               {.x = x, .weight = weight, .y = y, .dim = x.row_size(), .eps = eps}, {.x = x.rows()},
               {.bytes = 2.0 * static_cast<double>(x.bytes()),
                .flops = 4.0 * static_cast<double>(x.size())});
    return y;
}

}  // namespace assay::ops
