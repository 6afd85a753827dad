#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "grader/metric.h"

namespace assay {

// What a figure must reach, or not exceed, for a run to count as passed.
struct Bound {
    std::string metric;
    double value = 0;
};

// Reads "METRIC=NUMBER". Throws a runtime_error that says what was expected and found.
Bound parse_bound(const std::string& text);

struct Bounds {
    std::vector<Bound> least = {}, most = {};
    std::optional<double> most_unscored = {};  // a share of all items

    bool empty() const { return least.empty() && most.empty() && !most_unscored; }

    // The first bound that the figures miss, as one line that names the metric, its value and the
    // bound; nothing if there is none. Throws an Error if there is no figure of that name. A figure
    // that is not defined misses its bound.
    std::optional<std::string> missed(std::span<const Metric> metrics) const;
};

}  // namespace assay
