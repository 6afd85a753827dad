#include <algorithm>
#include <map>

#include "grader/report/sections.h"
#include "grader/verdict.h"

namespace assay::report {
namespace {

using Counts = std::map<char, std::size_t>;  // by verdict

void add_counts(Section& section, Runs runs, const Run& run) {
    const auto forced = std::ranges::count_if(
        run.results, [](const Result& result) { return result.facts.forced; });
    section.figures.push_back(
        {"graded", title_of("Graded", runs, run), count_estimate(run.counts.scored), Unit::count});
    section.figures.push_back({"unscored", title_of("Unscored", runs, run),
                               count_estimate(run.counts.unscored), Unit::count});
    section.figures.push_back({"forced", title_of("Forced", runs, run),
                               share_estimate(static_cast<std::size_t>(forced), run.counts.scored),
                               Unit::percent});
}

void add_mean(Section& section, Runs runs, const Run& run, const Graded& graded) {
    std::vector<double> values;
    for (const Result* result : graded.results) values.push_back(expected(*result));
    const bool pairs = graded.mode == Mode::relative;
    section.figures.push_back(
        {pairs ? "mean_p_a" : "mean_expected_score",
         title_of(pairs ? "Mean probability of A" : "Mean expected score", runs, run),
         mean_estimate(values), pairs ? Unit::percent : Unit::number});
}

void add_calibrated_mean(Section& section, Runs runs, const Run& run, const Graded& graded) {
    std::vector<double> values;
    for (const Result* result : graded.results)
        if (const auto value = calibrated(*result)) values.push_back(*value);
    if (values.empty()) return;
    const bool pairs = graded.mode == Mode::relative;
    section.figures.push_back(
        {pairs ? "mean_calibrated_p_a" : "mean_calibrated_score",
         title_of(pairs ? "Mean probability of A, calibrated" : "Mean expected score, calibrated",
                  runs, run),
         mean_estimate(values), pairs ? Unit::percent : Unit::number});
}

std::size_t count_in(const Counts& counts, char symbol) {
    const auto found = counts.find(symbol);
    return found == counts.end() ? 0 : found->second;
}

// The share of each of the symbols among them; without any of them, no series.
void add_shares(Bars& bars, const std::string& name, const Counts& counts,
                std::string_view symbols) {
    std::size_t all = 0;
    for (const char symbol : symbols) all += count_in(counts, symbol);
    if (all == 0) return;
    Bars::Series series{name + " (" + std::to_string(all) + ")", {}};
    for (const char symbol : symbols)
        series.values.push_back(static_cast<double>(count_in(counts, symbol)) /
                                static_cast<double>(all));
    bars.series.push_back(std::move(series));
}

std::optional<Chart> verdicts_chart(Runs runs, Mode mode) {
    const Counts& labels = runs.front().counts.labels;  // the second run's are the same ones
    const bool scores = mode == Mode::absolute;
    std::string symbols(legal_verdicts(mode));
    if (!scores && labels.contains('=')) symbols += '=';
    Bars bars{.x_title = scores ? "Score" : "Preferred response",
              .categories = {},
              .series = {},
              .unit = Unit::percent};
    for (const char symbol : symbols) {
        bars.categories.push_back(symbol_name(symbol));
        bars.links.push_back("verdict=" + symbol_name(symbol) + "&at=records");
    }
    for (const Run& run : runs)
        add_shares(bars, runs.size() > 1 ? run.name : "Judge", run.counts.verdicts, symbols);
    if (bars.series.empty()) return std::nullopt;
    add_shares(bars, "Labels", labels, symbols);
    return Chart{scores ? "scores" : "preferences", scores ? "Scores" : "Preferences",
                 std::move(bars)};
}

// What the verdicts are on another scale, if there is one: numbers by their size, or words.
std::optional<Chart> scale_chart(Runs runs, const Run& run) {
    std::map<nlohmann::json, std::size_t> verdicts;
    std::string_view scale;
    std::size_t all = 0;
    for (const Result& result : run.results)
        if (const auto* verdict = result.find("scale.verdict"); verdict && result.scored()) {
            ++verdicts[*verdict];
            ++all;
            scale = result.text("scale.name");
        }
    if (verdicts.empty()) return std::nullopt;
    Bars bars{.x_title = "On the scale " + std::string(scale),
              .categories = {},
              .series = {{"Judge (" + std::to_string(all) + ")", {}}},
              .unit = Unit::percent};
    for (const auto& [verdict, count] : verdicts) {
        bars.categories.push_back(verdict.is_string() ? verdict.get<std::string>()
                                                      : verdict.dump());
        bars.series[0].values.push_back(static_cast<double>(count) / static_cast<double>(all));
    }
    return Chart{
        "scale",
        title_of("Scores mapped to the scale " + std::string(scale) + ", untrained", runs, run),
        std::move(bars)};
}

std::optional<Chart> reasons_chart(Runs runs, const Run& run) {
    std::map<std::string, std::size_t> reasons;
    for (const Result& result : run.results)
        if (!result.scored()) ++reasons[std::string(result.text("reason"))];
    if (reasons.empty()) return std::nullopt;
    Table table{{"Reason", "Records"}, {}, {}};
    for (const auto& [reason, count] : reasons)
        table.rows.push_back({reason.empty() ? "not given" : reason, count});
    return Chart{"reasons", title_of("Why records are unscored", runs, run), std::move(table)};
}

}  // namespace

Section overview_section(Runs runs) {
    Section section{"overview", "Overview", "", {}, {}};
    for (const Run& run : runs) {
        add_counts(section, runs, run);
        for (const Graded& graded : graded_by_mode(run)) {
            add_mean(section, runs, run, graded);
            add_calibrated_mean(section, runs, run, graded);
        }
    }
    for (const Mode mode : {Mode::absolute, Mode::relative})
        if (auto chart = verdicts_chart(runs, mode)) section.charts.push_back(std::move(*chart));
    for (const Run& run : runs)
        if (auto chart = scale_chart(runs, run)) section.charts.push_back(std::move(*chart));
    for (const Run& run : runs)
        if (auto chart = reasons_chart(runs, run)) section.charts.push_back(std::move(*chart));
    return section;
}

}  // namespace assay::report
