#include "grader/metric.h"

#include <nlohmann/json.hpp>

namespace assay {

nlohmann::ordered_json to_json(const Metric& metric) {
    using Json = nlohmann::ordered_json;
    const auto or_null = [](const std::optional<double>& value) {
        return value ? Json(*value) : Json();
    };
    return {{"value", or_null(metric.value)},
            {"low", or_null(metric.low)},
            {"high", or_null(metric.high)},
            {"n", metric.n}};
}

}  // namespace assay
