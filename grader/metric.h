#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace assay {

// A figure as tables, JSON and --fail-under have it.
struct Metric {
    std::string name;                           // "pearson", "accuracy"
    std::optional<double> value = {};           // nothing where it is not defined
    std::optional<double> low = {}, high = {};  // its 95 % interval, if there is one
    std::size_t n = 0;                          // how many values it is of
};

// {"value", "low", "high", "n"}; null where it is not defined.
nlohmann::ordered_json to_json(const Metric& metric);

}  // namespace assay
