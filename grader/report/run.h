#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grader/report/document.h"
#include "grader/results.h"
#include "grader/scoring.h"
#include "grader/verdict_counts.h"

namespace assay::report {

// A file of records, as a report sees it.
struct Run {
    std::string name;  // as the report calls it
    std::vector<Result> results;
    Scores scores = {};  // of the results, by group
    VerdictCounts counts = {};
};
Run make_run(const std::string& name, std::vector<Result> results);

// The graded records of one mode.
struct Graded {
    Mode mode;
    std::vector<const Result*> results;
};
// In the order absolute, relative; none without records.
std::vector<Graded> graded_by_mode(const Run& run);

// Of a graded record: the mean of the scores by the judge's probabilities, or the probability of A;
// without probabilities the score, or 1 for A and 0 for B.
double expected(const Result& result);
// What a calibration makes of expected(), if the record says so.
std::optional<double> calibrated(const Result& result);
// Whether the verdict is the label's; nothing without a label that could be one, and for ties.
std::optional<bool> agrees(const Result& result);
std::optional<double> milliseconds(const Result& result);

// With the intervals of statistics/intervals.h.
Estimate mean_estimate(const std::vector<double>& values);
Estimate share_estimate(std::size_t part, std::size_t whole);  // of 0, nothing
Estimate with_wilson_interval(double share, std::size_t whole);
Estimate count_estimate(std::size_t count);

}  // namespace assay::report
