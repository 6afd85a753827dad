#include <algorithm>
#include <cmath>
#include <map>

#include "grader/rated.h"
#include "grader/report/measures.h"
#include "grader/report/sections.h"
#include "grader/verdict.h"

namespace assay::report {
namespace {

// Points of a scatter plot are counted on a grid of this width, so that any number of records
// makes a small drawing.
constexpr double grid = 0.1;

double on_grid(double value) { return std::round(value / grid) * grid; }

std::optional<Chart> scatter(Runs runs, const Run& run, const Graded& graded) {
    std::map<std::pair<double, double>, std::size_t> cells;
    double lowest = 1, highest = 5;  // of the scale
    double low = lowest, high = highest;
    for (const Result* result : graded.results) {
        const auto label = result->label ? result->label->mean() : std::nullopt;
        if (!label) continue;
        const double value = expected_on_scale(*result).value_or(score_on_scale(*result));
        if (cells.empty() && result->scale) {
            low = lowest = result->scale->values.front();
            high = highest = result->scale->values.back();
        }
        ++cells[{on_grid(*label), on_grid(value)}];
        low = std::min(low, *label);
        high = std::max(high, *label);
    }
    if (cells.empty()) return std::nullopt;
    Points points{.x_title = "Label",
                  .y_title = "Expected score",
                  .x_range = {low, high},
                  .y_range = {lowest, highest},
                  .points = {},
                  .diagonal = low == lowest && high == highest};
    for (const auto& [cell, count] : cells)
        points.points.push_back({cell.first, {.value = cell.second, .n = count}});
    return Chart{"scatter", title_of("Expected score and label", runs, run), std::move(points)};
}

std::optional<Chart> confusion(Runs runs, const Run& run, Mode mode) {
    const std::string verdicts(legal_verdicts(mode));
    const std::string labels = verdicts + (run.counts.labels.contains('=') ? "=" : "");
    const bool scores = mode == Mode::absolute;
    const bool linked = &run == &runs.front();  // the table of records has its verdicts
    Matrix matrix{
        .row_title = "Label", .column_title = "Judge", .rows = {}, .columns = {}, .counts = {}};
    std::size_t all = 0;
    for (const char label : scores ? verdicts : labels) {
        matrix.rows.push_back(symbol_name(label));
        if (linked) matrix.row_links.push_back("label=" + symbol_name(label));
        auto& row = matrix.counts.emplace_back();
        for (const char verdict : verdicts) {
            const auto found = run.counts.confusion.find({label, verdict});
            row.push_back(found == run.counts.confusion.end() ? 0 : found->second);
            all += row.back();
        }
    }
    if (all == 0) return std::nullopt;
    for (const char verdict : verdicts) {
        matrix.columns.push_back(symbol_name(verdict));
        if (linked) matrix.column_links.push_back("verdict=" + symbol_name(verdict));
    }
    return Chart{scores ? "confusion" : "confusion_pairs",
                 title_of(scores ? "Scores and labels" : "Preferences and labels", runs, run),
                 std::move(matrix)};
}

// Every statistic of agreement on these topics.
std::optional<Chart> intervals(Runs runs, const Run& run, const char* id, const char* title,
                               std::initializer_list<Topic> topics) {
    Intervals chart;
    for (const Topic topic : topics)
        std::ranges::move(figures_on(topic, {&run, 1}, run), std::back_inserter(chart.rows));
    if (chart.rows.empty()) return std::nullopt;
    return Chart{id, title_of(title, runs, run), std::move(chart)};
}

}  // namespace

Section agreement_section(Runs runs) {
    Section section{"agreement", "Agreement with the labels", "", {}, {}};
    for (const Run& run : runs)
        std::ranges::move(figures_on(Topic::distance, runs, run),
                          std::back_inserter(section.figures));
    for (const Run& run : runs)
        for (auto chart :
             {intervals(runs, run, "score_agreement", "Scores",
                        {Topic::scores, Topic::expected_scores}),
              intervals(runs, run, "preference_agreement", "Preferences", {Topic::preferences})})
            if (chart) section.charts.push_back(std::move(*chart));
    for (const Run& run : runs)
        for (const Graded& graded : graded_by_mode(run)) {
            if (graded.mode == Mode::absolute)
                if (auto chart = scatter(runs, run, graded))
                    section.charts.push_back(std::move(*chart));
            if (auto chart = confusion(runs, run, graded.mode))
                section.charts.push_back(std::move(*chart));
        }
    return section;
}

}  // namespace assay::report
