#include "grader/report/run.h"

#include <cmath>
#include <numeric>

namespace assay::report {
namespace {

constexpr double z = 1.959963984540054;  // of the normal distribution, 95 % lie within it

}  // namespace

Run make_run(const std::string& name, std::vector<Result> results) {
    Scores scores = score(results, {.column = {}, .against = {}, .by = "group"});
    VerdictCounts counts = count_verdicts(results);
    return {name, std::move(results), std::move(scores), std::move(counts)};
}

std::vector<Graded> graded_by_mode(const Run& run) {
    std::vector<Graded> all;
    for (const Mode mode : {Mode::absolute, Mode::relative}) {
        Graded graded{mode, {}};
        for (const Result& result : run.results)
            if (result.scored() && result.mode == mode) graded.results.push_back(&result);
        if (!graded.results.empty()) all.push_back(std::move(graded));
    }
    return all;
}

double expected(const Result& result) {
    const bool pair = result.mode == Mode::relative;
    if (const auto value = result.number(pair ? "p_a" : "expected_score")) return *value;
    return pair ? result.facts.verdict == 'A' : result.facts.verdict - '0';
}

std::optional<bool> agrees(const Result& result) {
    const auto label = result.label ? symbol_of(*result.label) : std::nullopt;
    if (!label || *label == '=' || !result.scored()) return std::nullopt;
    return *label == result.facts.verdict;
}

std::optional<double> milliseconds(const Result& result) {
    const auto prefill = result.number("ms.prefill"), decode = result.number("ms.decode");
    if (!prefill && !decode) return std::nullopt;
    return prefill.value_or(0) + decode.value_or(0);
}

Estimate mean_estimate(const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    if (values.empty()) return {.value = std::nullopt};
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    Estimate estimate{.value = mean, .n = values.size()};
    if (values.size() < 2) return estimate;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    const double margin = z * std::sqrt(squares / (n - 1) / n);
    estimate.low = mean - margin;
    estimate.high = mean + margin;
    return estimate;
}

Estimate share_estimate(std::size_t part, std::size_t whole) {
    if (whole == 0) return {.value = std::nullopt};
    return with_wilson_interval(static_cast<double>(part) / static_cast<double>(whole), whole);
}

Estimate with_wilson_interval(double share, std::size_t whole) {
    const auto n = static_cast<double>(whole);
    const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
    const double margin =
        z * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    return {.value = share,
            .low = std::max(0.0, centre - margin),
            .high = std::min(1.0, centre + margin),
            .n = whole};
}

Estimate count_estimate(std::size_t count) {
    return {.value = static_cast<double>(count), .n = count};
}

}  // namespace assay::report
