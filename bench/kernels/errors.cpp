#include "bench/kernels/errors.h"

#include <algorithm>
#include <cmath>

namespace assay::bench {

void ErrorMeter::add(double actual, double exact, double allowed) {
    ++errors_.compared;
    if (!std::isfinite(actual)) {  // counted among all outputs
        ++errors_.wrong;
        return;
    }
    const double error = std::fabs(actual - exact);
    errors_.max_abs = std::max(errors_.max_abs, error);
    squared_errors_ += error * error;
    squared_values_ += exact * exact;
    constexpr double flushed = 0x1p-126;  // devices may take smaller numbers for zero
    const double share = error / (allowed + flushed);
    errors_.of_allowed = std::max(errors_.of_allowed, share);
    if (!(share <= 1)) ++errors_.wrong;
}

void ErrorMeter::add(bool right) {
    ++errors_.compared;
    if (!right) ++errors_.wrong;
}

void ErrorMeter::count_not_finite(std::span<const float> outputs) {
    errors_.not_finite += static_cast<std::uint64_t>(
        std::ranges::count_if(outputs, [](float value) { return !std::isfinite(value); }));
}

Errors ErrorMeter::errors() const {
    Errors errors = errors_;
    errors.nmse = squared_values_ > 0 ? squared_errors_ / squared_values_ : squared_errors_;
    return errors;
}

}  // namespace assay::bench
