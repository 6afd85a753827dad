#include "runtime/ops.h"

namespace assay::ops {

Tensor sample(Stream& s, const Tensor& logits, const Tensor& how, const Tensor& seen) {
    constexpr std::uint32_t workgroup = 128;
    Tensor tokens = s.scratch(logits.rows(), 1);
    s.dispatch(kernels::sample().specialize(workgroup),
               {.logits = logits,
                .how = how,
                .seen = seen,
                .tokens = tokens,
                .vocabulary = logits.row_size()},
               {.x = logits.rows()}, {.bytes = static_cast<double>(logits.bytes())});
    return tokens;
}

}  // namespace assay::ops
