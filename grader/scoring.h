#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grader/metric.h"
#include "grader/results.h"
#include "grader/statistics/bootstrap.h"

// What results are worth: every figure that `assay score` and `assay report` show and
// --fail-under bounds, by its name. docs/statistics.md lists them.
namespace assay {

// Columns are fields of a record, or paths such as "label.human".
struct ScoringOptions {
    std::string column = {};  // empty: the judge's verdict, and all that is known of it
    // What it is compared with. Empty: the label, or another judge's same column.
    std::string against = {};
    std::string by = {};  // the values of this column make groups; empty: none
    bool group_intervals = true;
    BootstrapOptions bootstrap = {};
};

struct GroupScores {
    std::string group;
    std::vector<Metric> metrics;
};

struct Scores {
    std::vector<Metric> metrics;      // of all results; those of no items are left out
    std::vector<GroupScores> groups;  // by name; results without one are in none
    std::size_t compared = 0;         // results that there is something to compare with
};

// With `others`, `against` is a column of the one with the same id: another judge's. Of some
// figures there is also the mean over the groups, NAME_macro. Throws an Error that names line and
// column if a cell is neither a number nor a word, or words were to be compared with numbers, and
// one if no result has what it was asked to be compared with.
Scores score(std::span<const Result> results, const ScoringOptions& options,
             std::optional<std::span<const Result>> others = {});

// "A" and "B", or the two names that wrote all pairs: win rates are those of the first.
std::pair<std::string, std::string> contestants(std::span<const Result> results);

const Metric* find_metric(std::span<const Metric> metrics, std::string_view name);

nlohmann::ordered_json to_json(std::span<const Metric> metrics);  // {NAME: {value, low, high, n}}

}  // namespace assay
