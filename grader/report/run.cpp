#include "grader/report/run.h"

#include "grader/rated.h"
#include "grader/statistics/intervals.h"
#include "grader/statistics/values.h"

namespace assay::report {
Run make_run(const std::string& name, std::vector<Result> results) {
    Scores scores = score(results, {.by = "group", .group_intervals = false});
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

std::optional<double> calibrated(const Result& result) {
    return result.number(result.mode == Mode::relative ? "calibrated.p_a" : "calibrated.score");
}

std::optional<bool> agrees(const Result& result) {
    if (!result.label || !result.scored()) return std::nullopt;
    if (result.mode == Mode::relative) {
        const auto preferred = result.label->preferred;
        if (!preferred || *preferred == '=') return std::nullopt;
        return *preferred == result.facts.verdict;
    }
    const auto mean = result.label->mean();
    const auto rating = mean ? rating_of(result, *mean) : std::nullopt;
    return rating ? std::optional(*rating == score_on_scale(result)) : std::nullopt;
}

std::optional<double> milliseconds(const Result& result) {
    const auto prefill = result.number("ms.prefill"), decode = result.number("ms.decode");
    if (!prefill && !decode) return std::nullopt;
    return prefill.value_or(0) + decode.value_or(0);
}

Estimate mean_estimate(const std::vector<double>& values) {
    if (values.empty()) return {.value = std::nullopt};
    Estimate estimate{.value = mean(values), .n = values.size()};
    if (const auto interval = normal_interval(values)) {
        estimate.low = interval->low;
        estimate.high = interval->high;
    }
    return estimate;
}

Estimate share_estimate(std::size_t part, std::size_t whole) {
    if (whole == 0) return {.value = std::nullopt};
    return with_wilson_interval(static_cast<double>(part) / static_cast<double>(whole), whole);
}

Estimate with_wilson_interval(double share, std::size_t whole) {
    const auto [low, high] = wilson_interval(share, whole);
    return {.value = share, .low = low, .high = high, .n = whole};
}

Estimate count_estimate(std::size_t count) {
    return {.value = static_cast<double>(count), .n = count};
}

}  // namespace assay::report
