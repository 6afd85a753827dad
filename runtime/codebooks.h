#pragma once
#include <cstdint>
#include <span>

#include "shaders/codebooks.h"

namespace assay {

// The codebooks of the IQ formats, laid out as shaders/codebooks.h says.
std::span<const std::uint32_t> codebooks();

}  // namespace assay
