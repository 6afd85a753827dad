#include <algorithm>

#include "grader/rated.h"
#include "grader/report/measures.h"
#include "grader/report/sections.h"
#include "grader/statistics/reliability.h"

namespace assay::report {
namespace {

constexpr std::size_t bins = default_bins;  // of equal width over 0 to 1

std::size_t bin_of(double share) {
    return std::min(bins - 1, static_cast<std::size_t>(std::max(0.0, share) * bins));
}

std::optional<Chart> histogram(Runs runs) {
    Bars bars{.x_title = "Probability of the verdict", .categories = {}, .series = {}};
    for (std::size_t bin = 0; bin < bins; ++bin)
        bars.categories.push_back(std::to_string(100 * bin / bins) + "%");
    for (const Run& run : runs) {
        Bars::Series series{run.name, std::vector<double>(bins)};
        for (const Result& result : run.results)
            if (const auto confidence = result.number("confidence"); confidence && result.scored())
                ++series.values[bin_of(*confidence)];
        if (std::ranges::any_of(series.values, [](double count) { return count > 0; }))
            bars.series.push_back(std::move(series));
    }
    if (bars.series.empty()) return std::nullopt;
    return Chart{"confidence_histogram", "How sure the judge was", std::move(bars)};
}

// The probabilities of verdicts, and whether each verdict was the label's: 1 or 0.
struct Verdicts {
    std::vector<double> confidence, correct;
};

// `confidence_of` tells the probability of a result's verdict, if it is known.
Verdicts labelled_verdicts(const Run& run,
                           std::optional<double> (*confidence_of)(const Result& result)) {
    Verdicts verdicts;
    for (const Result& result : run.results) {
        const auto right = agrees(result);
        const auto confidence = right ? confidence_of(result) : std::nullopt;
        if (!confidence) continue;
        verdicts.confidence.push_back(*confidence);
        verdicts.correct.push_back(*right ? 1 : 0);
    }
    return verdicts;
}

struct Curve {
    const char *id, *title;
    std::optional<double> (*confidence_of)(const Result& result);
};
constexpr Curve curves[]{
    {"calibration", "Calibration",
     [](const Result& result) {
         return result.mode == Mode::absolute ? confidence_on_scale(result)
                                              : result.number("confidence");
     }},
    {"calibrated", "After calibration", [](const Result& result) {
         if (result.scale) return std::optional<double>();
         return result.number("calibrated.probs." + std::string(1, result.facts.verdict));
     }}};

Chart chart_of(const Curve& curve, Runs runs, const Run& run, const Verdicts& verdicts) {
    Points points{.x_title = "Probability of the verdict",
                  .y_title = "Verdict as the label",
                  .x_range = {0, 1},
                  .y_range = {0, 1},
                  .points = {},
                  .x_unit = Unit::percent,
                  .unit = Unit::percent,
                  .diagonal = true,
                  .joined = true};
    for (const auto& bin : reliability_bins(verdicts.confidence, verdicts.correct))
        if (bin.n > 0)
            points.points.push_back({bin.confidence, with_wilson_interval(bin.accuracy, bin.n)});
    return {curve.id, title_of(curve.title, runs, run), std::move(points)};
}

}  // namespace

Section confidence_section(Runs runs) {
    Section section{"confidence", "Confidence", "", {}, {}};
    for (const Run& run : runs) {
        std::ranges::move(figures_on(Topic::reliability, runs, run),
                          std::back_inserter(section.figures));
        for (const Curve& curve : curves) {
            const Verdicts verdicts = labelled_verdicts(run, curve.confidence_of);
            if (verdicts.confidence.empty()) continue;
            section.note =
                "On the dashed line, a verdict of probability p is the label's in a share p of the "
                "records.";
            section.charts.push_back(chart_of(curve, runs, run, verdicts));
        }
    }
    if (auto chart = histogram(runs)) section.charts.push_back(std::move(*chart));
    return section;
}

}  // namespace assay::report
