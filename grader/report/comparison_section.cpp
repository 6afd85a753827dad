#include <algorithm>
#include <cmath>

#include "grader/report/sections.h"
#include "grader/verdict.h"

namespace assay::report {
namespace {

constexpr std::size_t most_differences = 10;

// A record and the one of the same id in the second run, both graded in one mode.
struct Both {
    std::size_t row;  // in the first run
    const Result *first, *second;

    double difference() const { return expected(*second) - expected(*first); }
};

std::vector<Both> both_graded(Runs runs) {
    const SameItems seconds(runs[1].results);
    std::vector<Both> all;
    for (std::size_t row = 0; row < runs[0].results.size(); ++row) {
        const Result& first = runs[0].results[row];
        const Result* second = seconds.of(first);
        if (second && first.scored() && second->scored() && first.mode == second->mode)
            all.push_back({row, &first, second});
    }
    return all;
}

Chart verdicts_of(Runs runs, const std::vector<Both>& all, Mode mode) {
    const std::string_view symbols = legal_verdicts(mode);
    Matrix matrix{.row_title = runs[0].name,
                  .column_title = runs[1].name,
                  .rows = {},
                  .columns = {},
                  .counts = {}};
    for (const char symbol : symbols) {
        matrix.rows.push_back(symbol_name(symbol));
        matrix.columns.push_back(symbol_name(symbol));
        matrix.counts.emplace_back(symbols.size());
        matrix.row_links.push_back("verdict=" + symbol_name(symbol));
        matrix.column_links.push_back("other=" + symbol_name(symbol));
    }
    for (const Both& both : all)
        if (both.first->mode == mode)
            ++matrix.counts[symbols.find(both.first->facts.verdict)]
                           [symbols.find(both.second->facts.verdict)];
    return {mode == Mode::absolute ? "compared_scores" : "compared_preferences",
            mode == Mode::absolute ? "Scores of both files" : "Preferences of both files",
            std::move(matrix)};
}

Chart largest_differences(Runs runs, std::vector<Both> all) {
    std::erase_if(all, [](const Both& both) { return both.difference() == 0; });
    std::ranges::stable_sort(all, std::greater(),
                             [](const Both& both) { return std::abs(both.difference()); });
    all.resize(std::min(all.size(), most_differences));
    Table table{
        {"Record", "Expected, " + runs[0].name, "Expected, " + runs[1].name, "Difference"}, {}, {}};
    for (const Both& both : all) {
        table.rows.push_back(
            {both.first->id, expected(*both.first), expected(*both.second), both.difference()});
        table.links.push_back("open=" + std::to_string(both.row));
    }
    return {"differences", "Largest differences", std::move(table)};
}

}  // namespace

Section comparison_section(Runs runs) {
    Section section{
        "comparison", "Both files", "Records of the same id, graded in both files.", {}, {}};
    if (runs.size() < 2) return {};
    const std::vector<Both> all = both_graded(runs);
    const auto same = std::ranges::count_if(all, [](const Both& both) {
        return both.first->facts.verdict == both.second->facts.verdict;
    });
    std::vector<double> differences;
    for (const Both& both : all) differences.push_back(both.difference());
    section.figures = {
        {"compared", "Graded in both", count_estimate(all.size()), Unit::count},
        {"same_verdict", "Same verdict", share_estimate(static_cast<std::size_t>(same), all.size()),
         Unit::percent},
        {"mean_difference", "Mean difference of the expected", mean_estimate(differences)}};
    for (const Mode mode : {Mode::absolute, Mode::relative})
        if (std::ranges::any_of(all, [=](const Both& both) { return both.first->mode == mode; }))
            section.charts.push_back(verdicts_of(runs, all, mode));
    if (!all.empty()) section.charts.push_back(largest_differences(runs, all));
    return section;
}

}  // namespace assay::report
