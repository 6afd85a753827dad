#pragma once
#include <cstddef>
#include <optional>
#include <span>

#include "grader/statistics/bootstrap.h"

// Intervals of 95 % that need no resampling.
namespace assay {

// Of the mean, by the normal approximation; nothing of fewer than two values.
std::optional<Interval> normal_interval(std::span<const double> values);

// Of a share of `whole` (at least 1), by Wilson (1927), which stays within 0 to 1.
Interval wilson_interval(double share, std::size_t whole);

}  // namespace assay
