#include <algorithm>

#include "runtime/ops.h"

namespace assay::ops {

void repack(Stream& s, const Tensor& source, std::uint32_t rows, std::uint32_t first_row, const Weight& to, std::uint32_t head_dim) {
    constexpr std::uint32_t workgroup = 64, widest = 32768;  // workgroups along x; more go along z
    const auto row_words = static_cast<std::uint32_t>(row_bytes(to.format, to.in_dim) / 2);
    const std::uint32_t padded = (to.out_dim + panel_rows - 1) / panel_rows * panel_rows;
    const std::uint32_t written = first_row + rows == to.out_dim ? padded - first_row : rows;  // the last rows bring the padding
    s.dispatch(kernels::repack().specialize(workgroup),
               {.source = source, .panels = to, .rows = rows, .written = written, .first_row = first_row, .row_words = row_words,
                .unit_words = info(to.format).unit_bytes / 2, .head_dim = head_dim},
               {.x = std::min(written, widest), .y = (row_words + workgroup - 1) / workgroup, .z = (written + widest - 1) / widest},
               {.bytes = 4.0 * row_words * written});
}

}  // namespace assay::ops
