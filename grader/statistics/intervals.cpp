#include "grader/statistics/intervals.h"

#include <algorithm>
#include <cmath>

#include "grader/statistics/values.h"

namespace assay {
namespace {

constexpr double z = 1.959963984540054;  // of the normal distribution, 95 % lie within it

}  // namespace

std::optional<Interval> normal_interval(std::span<const double> values) {
    if (values.size() < 2) return std::nullopt;
    const auto n = static_cast<double>(values.size());
    const double centre = mean(values);
    double squares = 0;
    for (const double value : values) squares += (value - centre) * (value - centre);
    const double margin = z * std::sqrt(squares / (n - 1) / n);
    return Interval{centre - margin, centre + margin};
}

Interval wilson_interval(double share, std::size_t whole) {
    const auto n = static_cast<double>(whole);
    const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
    const double margin =
        z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    return {std::max(0.0, centre - margin), std::min(1.0, centre + margin)};
}

}  // namespace assay
