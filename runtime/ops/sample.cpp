#include <cassert>

#include "runtime/ops.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

constexpr std::uint32_t small_workgroup = 64;

// How many structs of a type a tensor holds.
template <class T>
std::uint32_t count_of(const Tensor& structs) {
    assert(structs.bytes() % sizeof(T) == 0);
    return static_cast<std::uint32_t>(structs.bytes() / sizeof(T));
}

}  // namespace

Tensor resolve_tokens(Stream& s, const Tensor& tokens, const Tensor& chosen) {
    const auto count = static_cast<std::uint32_t>(tokens.size());
    Tensor resolved = s.scratch(count, 1);
    s.dispatch(kernels::resolve().specialize(small_workgroup),
               {.tokens = tokens, .chosen = chosen, .resolved = resolved, .count = count},
               {.x = ceil_div(count, small_workgroup)});
    return resolved;
}

void mark_seen(Stream& s, const Tensor& tokens, const Tensor& marks, const Tensor& seen) {
    const auto count = count_of<shader::SeenMark>(marks);
    s.dispatch(kernels::mark().specialize(small_workgroup),
               {.tokens = tokens,
                .marks = marks,
                .seen = seen,
                .count = count,
                .seen_words = seen.row_size()},
               {.x = ceil_div(count, small_workgroup)});
}

Tensor sample(Stream& s, const Tensor& logits, const Tensor& how, const Tensor& tokens,
              const Tensor& seen, const Tensor& chosen) {
    constexpr std::uint32_t workgroup = 128;
    assert(seen.row_size() == ceil_div(logits.row_size(), 32) && seen.rows() == chosen.size());
    const auto rows = count_of<shader::SampleRow>(how);
    Tensor sampled = s.scratch(rows, 1);
    s.dispatch(kernels::sample().specialize(workgroup),
               {.logits = logits,
                .how = how,
                .tokens = tokens,
                .seen = seen,
                .chosen = chosen,
                .sampled = sampled,
                .vocabulary = logits.row_size()},
               {.x = rows}, {.bytes = 4.0 * rows * logits.row_size()});
    return sampled;
}

Tensor pick(Stream& s, const Tensor& logits, const Tensor& places) {
    const auto count = count_of<shader::LogitPlace>(places);
    Tensor picked = s.scratch(count, 1);
    s.dispatch(kernels::pick().specialize(small_workgroup),
               {.logits = logits,
                .places = places,
                .picked = picked,
                .count = count,
                .vocabulary = logits.row_size()},
               {.x = ceil_div(count, small_workgroup)});
    return picked;
}

}  // namespace assay::ops
