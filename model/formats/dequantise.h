#pragma once
#include <cstddef>
#include <span>

#include "runtime/format.h"

namespace assay {

// Decodes whole blocks as a model file holds them: weights.size() is their number times the
// format's block_size. A weight is what the format's definition gives in f32, one rounding per
// operation.
void dequantise(Format format, std::span<const std::byte> blocks, std::span<float> weights);

}  // namespace assay
