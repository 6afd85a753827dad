#include "runtime/ops.h"

namespace assay::ops {

Tensor embed(Stream& s, const Weight& table, const Tensor& tokens) {
    constexpr std::uint32_t workgroup = 64;
    Tensor y = s.scratch(tokens.rows(), table.in_dim);
    s.dispatch(kernels::embed(table.format).specialize(workgroup),
               {.weight = table,
                .codebook = {s.device().codebooks()},
                .tokens = tokens,
                .y = y,
                .dim = table.in_dim},
               {.x = tokens.rows()},
               {.bytes = static_cast<double>(tokens.rows() * row_bytes(table.format, table.in_dim) +
                                             y.bytes())});
    return y;
}

}  // namespace assay::ops
