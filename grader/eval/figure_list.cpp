#include "grader/eval/figure_list.h"

#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "grader/statistics/values.h"

namespace assay::eval {
namespace {

// The mean over groups of their means.
std::optional<double> mean_of_means(const Column& column, const std::vector<std::string>& groups,
                                    Indices indices) {
    std::map<std::string_view, Column> by_group;
    for (const std::size_t i : indices) by_group[groups[i]].push_back(column[i]);
    if (by_group.empty()) return std::nullopt;
    Column means;
    for (const auto& [group, values] : by_group) means.push_back(mean(values));
    return mean(means);
}

}  // namespace

std::optional<double> mean_of(const Column& column, Indices indices) {
    if (indices.empty()) return std::nullopt;
    double sum = 0;
    for (const std::size_t i : indices) sum += column[i];
    return sum / static_cast<double>(indices.size());
}

void FigureList::add(Unit unit, const Figures& statistics) {
    for (Metric& metric : measured(statistics, {.seed = seed_}))
        figures.push_back({std::move(metric), unit});
}

void FigureList::add(std::string metric, Unit unit, std::size_t n, const Statistic& statistic) {
    add(unit, {.names = {std::move(metric)}, .n = n, .statistics = [&](Indices indices) {
                   return std::vector{statistic(indices)};
               }});
}

void FigureList::add_mean(std::string metric, Unit unit, const Column& column) {
    add(unit, mean_figure(metric, column));
}

void FigureList::add_group_means(const std::string& metric, Unit unit, const Column& column,
                                 const std::vector<std::string>& groups) {
    for (const std::string& group : std::set(groups.begin(), groups.end())) {
        Column of_group;
        for (std::size_t i = 0; i < column.size(); ++i)
            if (groups[i] == group) of_group.push_back(column[i]);
        add_mean(metric + "." + group, unit, of_group);
    }
    add(metric + ".mean_of_groups", unit, column.size(),
        [&](Indices indices) { return mean_of_means(column, groups, indices); });
}

}  // namespace assay::eval
