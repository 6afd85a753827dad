#include "grader/report/measures.h"

#include <algorithm>

namespace assay::report {
namespace {

struct Measure {
    std::string_view name;
    Topic topic;
    std::string_view title;
    Unit unit = Unit::number;
};

constexpr Measure measures[]{
    {"pearson", Topic::scores, "Pearson"},
    {"spearman", Topic::scores, "Spearman"},
    {"kendall_tau_b", Topic::scores, "Kendall tau-b"},
    {"kendall_tau_c", Topic::scores, "Kendall tau-c"},
    {"accuracy", Topic::scores, "Same score", Unit::percent},
    {"cohen_kappa", Topic::scores, "Cohen's kappa"},
    {"weighted_kappa", Topic::scores, "Weighted kappa"},
    {"expected_pearson", Topic::expected_scores, "Pearson, expected"},
    {"expected_spearman", Topic::expected_scores, "Spearman, expected"},
    {"expected_kendall_tau_b", Topic::expected_scores, "tau-b, expected"},
    {"calibrated_pearson", Topic::expected_scores, "Pearson, calibrated"},
    {"pair_accuracy", Topic::preferences, "Same preference", Unit::percent},
    {"pair_accuracy_with_ties", Topic::preferences, "Same, ties wrong", Unit::percent},
    {"pair_cohen_kappa", Topic::preferences, "Cohen's kappa, pairs"},
    {"alpha", Topic::distance, "Alpha of the samples"},
    {"pair_alpha", Topic::distance, "Alpha, pairs' samples"},
    {"mae", Topic::distance, "Mean distance of score and label"},
    {"expected_mae", Topic::distance, "Mean distance of expected score and label"},
    {"ece", Topic::reliability, "Calibration error of scores"},
    {"brier", Topic::reliability, "Brier score of scores"},
    {"pair_ece", Topic::reliability, "Calibration error of preferences"},
    {"pair_brier", Topic::reliability, "Brier score of preferences"},
    {"calibrated_mae", Topic::distance, "Mean distance of calibrated score and label"},
    {"calibrated_ece", Topic::reliability, "Calibration error of scores, calibrated"},
    {"calibrated_brier", Topic::reliability, "Brier score of scores, calibrated"},
    {"pair_calibrated_ece", Topic::reliability, "Calibration error of preferences, calibrated"},
    {"pair_calibrated_brier", Topic::reliability, "Brier score of preferences, calibrated"},
    {"consistency", Topic::position, "Same verdict in both orders", Unit::percent},
    {"first_wins", Topic::position, "Preferred when shown first", Unit::percent},
    {"inconsistent_prefer_first", Topic::position, "First one preferred where orders disagree",
     Unit::percent},
    {"longer_wins", Topic::length, "The longer one preferred", Unit::percent},
    {"length_spearman", Topic::length, "Score and length (Spearman)"},
    {"label_length_spearman", Topic::length, "Label and length (Spearman)"},
    {"win_rate", Topic::length, "win rate", Unit::percent},
    {"lc_win_rate", Topic::length, "win rate at equal lengths", Unit::percent}};

const Measure* find(std::string_view name) {
    const auto* found = std::ranges::find(measures, name, &Measure::name);
    return found == std::end(measures) ? nullptr : found;
}

// With the name of the first of two writers where they meet in all pairs.
std::string title_with_winner(const Measure& measure, const Run& run) {
    const std::string title(measure.title);
    if (!measure.name.ends_with("win_rate")) return title;
    return contestants(run.results).first + ": " + title;
}

}  // namespace

std::vector<Figure> figures_on(Topic topic, Runs runs, const Run& run) {
    std::vector<Figure> figures;
    for (const Metric& metric : run.scores.metrics) {
        const Measure* measure = find(metric.name);
        if (!measure || measure->topic != topic || !metric.value) continue;
        figures.push_back({metric.name,
                           title_of(title_with_winner(*measure, run), runs, run),
                           {metric.value, metric.low, metric.high, metric.n},
                           measure->unit});
    }
    return figures;
}

std::string_view title_of_metric(std::string_view name) {
    const Measure* measure = find(name);
    return measure ? measure->title : "";
}

}  // namespace assay::report
