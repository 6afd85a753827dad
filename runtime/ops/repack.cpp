#include <algorithm>
#include <cassert>

#include "runtime/ops.h"

namespace assay::ops {

void repack(Stream& s, const Tensor& source, std::uint32_t rows, std::uint32_t first_row,
            const Weight& to, const Rearranged& how) {
    const std::uint32_t workgroup =
        std::max(16u, s.device().info().subgroup_size);  // pairs: at least a panel's
    constexpr std::uint32_t run_halves = 2 * 16;         // as in repack.comp
    const bool last = first_row + rows == to.out_dim;
    assert(first_row % 2 == 0 && (rows % 2 == 0 || last));
    assert(how.head_dim == 0 || (first_row % how.head_dim == 0 && rows % how.head_dim == 0));
    assert(!how.halves || rows % 2 == 0);
    const auto row_halves = static_cast<std::uint32_t>(row_bytes(to.format, to.in_dim) / 2);
    const std::uint32_t padded = (to.out_dim + panel_rows - 1) / panel_rows * panel_rows;
    const std::uint32_t pairs =
        (last ? padded - first_row : rows) / 2;  // the last rows bring the padding
    s.dispatch(
        kernels::repack().specialize(workgroup, info(to.format).unit_bytes / 2),
        {.source = source,
         .panels = to,
         .rows = rows,
         .pairs = pairs,
         .first_row = first_row,
         .row_halves = row_halves,
         .head_dim = how.head_dim,
         .halves = how.halves},
        {.x = (pairs + workgroup - 1) / workgroup, .y = (row_halves + run_halves - 1) / run_halves},
        {.bytes = 8.0 * row_halves * pairs});
}

}  // namespace assay::ops
