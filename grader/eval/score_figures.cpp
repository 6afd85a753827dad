#include <algorithm>
#include <set>

#include "grader/eval/figure_list.h"
#include "grader/statistics/agreement.h"
#include "grader/statistics/values.h"

namespace assay::eval {
namespace {

// The records that have a score, and what it is compared with.
struct Scores {
    Column mean, expected, first;      // of the runs
    std::vector<const Item*> records;  // theirs
    std::vector<Column> runs;          // of each run, a score for each record
};

Scores scores_of(std::span<const Item> records, std::span<const Outcome> outcomes) {
    Scores scores;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const auto& score = outcomes[i].score;
        if (!score) continue;
        scores.mean.push_back(score->mean());
        scores.expected.push_back(score->expected);
        scores.first.push_back(score->scores.front());
        scores.records.push_back(&records[i]);
        scores.runs.resize(std::max(scores.runs.size(), score->scores.size()));
        for (std::size_t run = 0; run < score->scores.size(); ++run)
            scores.runs[run].push_back(score->scores[run]);
    }
    return scores;
}

// Who labelled the records.
std::set<std::string> labellers(const Scores& scores) {
    std::set<std::string> names;
    for (const Item* record : scores.records)
        if (record->label)
            for (const auto& [name, values] : record->label->scores) names.insert(name);
    return names;
}

void add_agreement(FigureList& list, const Scores& scores, const std::string& labeller,
                   bool exact) {
    Column label, mean, expected, same;
    for (std::size_t i = 0; i < scores.records.size(); ++i) {
        if (!scores.records[i]->label) continue;
        const auto& given = scores.records[i]->label->scores;
        const auto values = given.find(labeller);
        if (values == given.end() || values->second.empty()) continue;
        label.push_back(assay::mean(values->second));
        mean.push_back(scores.mean[i]);
        expected.push_back(scores.expected[i]);
        same.push_back(scores.first[i] == label.back() ? 1 : 0);
    }
    list.add(Unit::number, number_figures(labeller + ".", mean, label));
    list.add(Unit::number, number_figures(labeller + ".expected_", expected, label));
    if (exact) list.add_mean(labeller + ".accuracy", Unit::share, same);
}

void add_alpha(FigureList& list, const std::vector<Column>& runs) {
    if (runs.size() < 2) return;
    const std::size_t n = runs.front().size();
    for (const Column& run : runs)
        if (run.size() != n) return;  // records that were judged less often than others
    list.add("alpha", Unit::number, n, [&](Indices indices) {
        std::vector<std::vector<double>> units;  // a score of each run
        for (const std::size_t i : indices) {
            units.emplace_back();
            for (const Column& run : runs) units.back().push_back(run[i]);
        }
        return krippendorff_alpha(units, Level::ordinal);
    });
}

}  // namespace

void add_score_figures(FigureList& list, const Benchmark& benchmark, std::span<const Item> records,
                       std::span<const Outcome> outcomes) {
    const Scores scores = scores_of(records, outcomes);
    for (const std::string& labeller : labellers(scores))
        add_agreement(list, scores, labeller, benchmark.exact);
    if (benchmark.means) {
        std::vector<std::string> groups;
        for (const Item* record : scores.records) groups.push_back(record->group.value_or("none"));
        list.add_group_means("score", Unit::number, scores.mean, groups);
    }
    add_alpha(list, scores.runs);
}

}  // namespace assay::eval
