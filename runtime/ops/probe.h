#pragma once
#include <optional>
#include <string>

#include "runtime/device.h"

namespace assay::ops {

// Runs kernels of a tier on operands whose products are exact in f32. What was wrong, if something
// was.
std::optional<std::string> probe(Device& device, Tier tier);

}  // namespace assay::ops
