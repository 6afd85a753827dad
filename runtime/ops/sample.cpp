#include <algorithm>
#include <cassert>
#include <string>

#include "runtime/error.h"
#include "runtime/ops.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

constexpr std::uint32_t small_workgroup = 64;
constexpr std::uint32_t most_sampled = (1u << 18) - 1;  // tokens whose weights sample.comp can sum

// A row has one workgroup, which on a GPU should fill what it runs on. It takes two subgroups.
std::uint32_t sampling_workgroup(const DeviceInfo& device) {
    const std::uint32_t wanted = device.is_cpu ? 64 : 512;
    return std::max(std::min(wanted, device.max_workgroup_invocations), 2 * device.subgroup_size);
}

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
    const std::uint32_t vocabulary = logits.row_size();
    assert(seen.row_size() == ceil_div(vocabulary, 32) && seen.rows() == chosen.size());
    if (vocabulary > most_sampled)
        throw Error("a vocabulary of " + std::to_string(vocabulary) + ": sampling takes up to " +
                    std::to_string(most_sampled));
    const auto rows = count_of<shader::SampleRow>(how);
    Tensor sampled = s.scratch(rows, 1);
    auto scratch = s.scope();
    const Tensor penalised = s.scratch(rows, vocabulary);
    s.dispatch(kernels::sample().specialize(sampling_workgroup(s.device().info())),
               {.logits = logits,
                .how = how,
                .tokens = tokens,
                .seen = seen,
                .chosen = chosen,
                .sampled = sampled,
                .penalised = penalised,
                .vocabulary = vocabulary},
               {.x = rows}, {.bytes = 4.0 * rows * vocabulary});
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
