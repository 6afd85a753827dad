#include "grader/figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "grader/statistics/agreement.h"
#include "grader/statistics/correlation.h"
#include "grader/statistics/reliability.h"
#include "grader/statistics/values.h"

namespace assay {
namespace {

using Column = std::vector<double>;
using Row = std::vector<std::optional<double>>;

constexpr std::size_t least_resamples = 200, most_draws = 4'000'000;

Column drawn(const Column& values, std::span<const std::size_t> indices) {
    Column some(indices.size());
    std::ranges::transform(indices, some.begin(), [&](std::size_t i) { return values[i]; });
    return some;
}

// Of statistics of two columns.
template <class Of>
Statistics of_both(Column x, Column y, Of of) {
    return [x = std::move(x), y = std::move(y), of](std::span<const std::size_t> indices) {
        return of(drawn(x, indices), drawn(y, indices));
    };
}

std::vector<std::string> prefixed(const std::string& prefix, std::vector<std::string> names) {
    for (std::string& name : names) name = prefix + name;
    return names;
}

}  // namespace

Figures number_figures(const std::string& prefix, Column x, Column y) {
    const std::size_t n = x.size();
    return {
        .names = prefixed(prefix, {"pearson", "spearman", "kendall_tau_b", "kendall_tau_c", "mae"}),
        .n = n,
        .statistics = of_both(std::move(x), std::move(y), [](const Column& a, const Column& b) {
            const Correlations r = correlations(a, b);
            return Row{r.pearson, r.spearman, r.kendall_tau_b, r.kendall_tau_c,
                       mean_absolute_error(a, b)};
        })};
}

Figures rating_figures(const std::string& prefix, Column a, Column b, bool distance_counts) {
    const std::size_t n = a.size();
    std::vector<std::string> names{"accuracy", "cohen_kappa"};
    if (distance_counts) names.push_back("weighted_kappa");
    return {
        .names = prefixed(prefix, std::move(names)),
        .n = n,
        .statistics = of_both(std::move(a), std::move(b), [=](const Column& x, const Column& y) {
            Row values{accuracy(x, y), cohen_kappa(x, y)};
            if (distance_counts) values.push_back(weighted_kappa(x, y, KappaWeights::quadratic));
            return values;
        })};
}

Figures reliability_figures(const std::string& prefix, Column confidence, Column correct) {
    const std::size_t n = confidence.size();
    return {.names = prefixed(prefix, {"ece", "brier"}),
            .n = n,
            .statistics = of_both(
                std::move(confidence), std::move(correct), [](const Column& p, const Column& so) {
                    return Row{expected_calibration_error(p, so), brier_score(p, so)};
                })};
}

Figures mean_figure(const std::string& name, Column values) {
    const std::size_t n = values.size();
    return {.names = {name},
            .n = n,
            .statistics = [values = std::move(values)](std::span<const std::size_t> indices) {
                if (indices.empty()) return Row{std::nullopt};
                return Row{mean(drawn(values, indices))};
            }};
}

std::vector<Metric> measured(const Figures& figures, const BootstrapOptions& options) {
    std::vector<std::size_t> all(figures.n);
    std::iota(all.begin(), all.end(), std::size_t{0});
    Row values = figures.statistics(all);
    for (auto& value : values)
        if (value && !std::isfinite(*value)) value.reset();  // too large for a double
    std::vector<std::optional<Interval>> intervals;
    if (figures.n > 1)
        intervals =
            bootstrap_all(figures.n, figures.statistics, suitable_bootstrap(figures.n, options));
    intervals.resize(values.size());
    std::vector<Metric> metrics;
    for (std::size_t i = 0; i < values.size(); ++i) {
        Metric metric{.name = figures.names[i], .value = values[i], .n = figures.n};
        if (values[i] && intervals[i]) {
            metric.low = intervals[i]->low;
            metric.high = intervals[i]->high;
        }
        metrics.push_back(std::move(metric));
    }
    return metrics;
}

BootstrapOptions suitable_bootstrap(std::size_t n, const BootstrapOptions& options) {
    BootstrapOptions suitable = options;
    const std::size_t most = std::max(least_resamples, most_draws / std::max<std::size_t>(n, 1));
    suitable.resamples = std::min(options.resamples, most);
    return suitable;
}

}  // namespace assay
