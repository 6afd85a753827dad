#include "runtime/ops.h"

namespace assay::ops {

Tensor gather(Stream& s, const Tensor& x, const Tensor& rows) {
    constexpr std::uint32_t workgroup = 64;
    Tensor y = s.scratch(rows.rows(), x.row_size());
    s.dispatch(kernels::gather().specialize(workgroup),
               {.x = x, .rows = rows, .y = y, .dim = x.row_size()}, {.x = rows.rows()},
               {.bytes = 2.0 * static_cast<double>(y.bytes())});
    return y;
}

}  // namespace assay::ops
