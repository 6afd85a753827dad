#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "runtime/format.h"

namespace assay {

// Whether quantise() can make this format.
bool can_quantise(Format to);

// Writes rows of `columns` floats as blocks of a format, scales and levels being chosen for a small
// squared error. `importance` says how much an error in each column counts (the mean square of the
// inputs it meets, say) and has `columns` values that are not negative; empty: all alike. Every
// value must pass find_unfit().
void quantise(Format to, std::span<const float> rows, std::uint64_t columns,
              std::span<const float> importance, std::span<std::byte> blocks);

// The place of the first value that the format cannot come near: no finite number, or beyond its
// scales.
std::optional<std::size_t> find_unfit(Format to, std::span<const float> values);

}  // namespace assay
