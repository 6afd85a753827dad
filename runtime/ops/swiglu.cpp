#include <algorithm>

#include "runtime/ops.h"

namespace assay::ops {

Tensor silu_mul(Stream& s, const Tensor& gate, const Tensor& up) {
    constexpr std::uint32_t workgroup = 64, widest = 32768;  // workgroups along x; more go along y
    Tensor y = s.scratch(gate.rows(), gate.row_size());
    const auto size = static_cast<std::uint32_t>(gate.size());
    const std::uint32_t groups = (size + workgroup - 1) / workgroup;
    s.dispatch(kernels::swiglu().specialize(workgroup),
               {.gate = gate, .up = up, .y = y, .size = size},
               {.x = std::min(groups, widest), .y = (groups + widest - 1) / widest},
               {.bytes = 3.0 * static_cast<double>(y.bytes()), .flops = 4.0 * size});
    return y;
}

}  // namespace assay::ops
