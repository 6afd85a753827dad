#include "runtime/tiers.h"

#include <algorithm>

namespace assay {

std::optional<Tier> tier_from_name(std::string_view name) {
    const auto* found = std::ranges::find(tier_names, name);
    if (found == tier_names.end()) return std::nullopt;
    return static_cast<Tier>(found - tier_names.begin());
}

std::string text_of(const MatrixShape& shape) {
    return std::to_string(shape.rows) + " x " + std::to_string(shape.columns) + " x " +
           std::to_string(shape.depth) + " (" + shape.operands + " to " + shape.sums + ")";
}

std::string text_of(const MatrixSteps& steps) {
    return "multiples of " + std::to_string(steps.rows) + " x " + std::to_string(steps.columns) +
           " x " + std::to_string(steps.depth) + " in " +
           (steps.workgroup ? "workgroups of " + std::to_string(steps.workgroup) : "subgroups");
}

}  // namespace assay
