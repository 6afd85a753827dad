#include "grader/bounds.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include "grader/scoring.h"
#include "runtime/error.h"

namespace assay {
namespace {

std::string text_of(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

const Metric& metric_named(std::span<const Metric> metrics, const std::string& name) {
    if (const Metric* metric = find_metric(metrics, name)) return *metric;
    std::string known;
    for (const Metric& metric : metrics) known += (known.empty() ? "" : ", ") + metric.name;
    throw Error("no figure \"" + name + "\" in these results, there are " + known);
}

}  // namespace

Bound parse_bound(const std::string& text) {
    const std::size_t sign = text.find('=');
    Bound bound{.metric = text.substr(0, sign)};
    const std::string_view number =
        sign == text.npos ? "" : std::string_view(text).substr(sign + 1);
    const char* end = number.data() + number.size();
    const auto [read, error] = std::from_chars(number.data(), end, bound.value);
    if (bound.metric.empty() || error != std::errc() || read != end || !std::isfinite(bound.value))
        throw std::runtime_error("expected METRIC=NUMBER, such as accuracy=0.8, found " + text);
    return bound;
}

std::optional<std::string> Bounds::missed(std::span<const Metric> metrics) const {
    const auto missed = [&](const Bound& bound, const char* which,
                            auto holds) -> std::optional<std::string> {
        const Metric& metric = metric_named(metrics, bound.metric);
        if (metric.value && holds(*metric.value, bound.value)) return std::nullopt;
        return metric.name + " is " + (metric.value ? text_of(*metric.value) : "not defined") +
               ", " + which + " " + text_of(bound.value) + " expected";
    };
    for (const Bound& bound : least)
        if (auto why = missed(bound, "at least", std::greater_equal())) return why;
    for (const Bound& bound : most)
        if (auto why = missed(bound, "at most", std::less_equal())) return why;
    if (!most_unscored) return std::nullopt;
    const Metric& unscored = metric_named(metrics, "unscored_share");
    if (unscored.value && *unscored.value > *most_unscored)
        return "unscored_share is " + text_of(*unscored.value) + ", at most " +
               text_of(*most_unscored) + " expected";
    return std::nullopt;
}

}  // namespace assay
