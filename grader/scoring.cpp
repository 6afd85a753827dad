#include "grader/scoring.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "grader/figures.h"
#include "grader/rated.h"
#include "grader/statistics/agreement.h"
#include "grader/statistics/correlation.h"
#include "grader/statistics/length.h"
#include "grader/verdict.h"
#include "runtime/error.h"

namespace assay {
namespace {

using Column = std::vector<double>;
using Row = std::vector<std::optional<double>>;

// A result with what it is compared with.
struct Compared {
    const Result* result;
    Cell against;
};
using Rows = std::span<const Compared>;

double verdict_value(const Result& result) {
    return result.mode == Mode::relative ? result.facts.verdict == 'A' : score_on_scale(result);
}

Cell verdict_cell(const Result& result) {
    if (!result.scored()) return std::monostate();
    if (result.mode == Mode::relative) return std::string(1, result.facts.verdict);
    return verdict_value(result);
}

bool is_graded(const Compared& row, Mode mode) {
    return row.result->scored() && row.result->mode == mode;
}

// Of the judge's verdict; on another scale there is none.
std::optional<double> calibrated_confidence_of(const Result& result) {
    if (result.scale) return std::nullopt;
    return result.number("calibrated.probs." + std::string(1, result.facts.verdict));
}

// Statistics of any draw of these items.
template <class Item, class Of>
Figures figures_of(std::vector<std::string> names, std::vector<Item> items, Of of) {
    const std::size_t n = items.size();
    return {.names = std::move(names),
            .n = n,
            .statistics = [items = std::move(items), of](std::span<const std::size_t> indices) {
                std::vector<Item> drawn;
                for (const std::size_t i : indices) drawn.push_back(items[i]);
                return of(drawn);
            }};
}

// A judge's scores against numbers.
void add_scores(std::vector<Figures>& all, Rows rows) {
    Column score, label, expected, label_of_expected, rating, rounded, confidence, correct;
    Column calibrated, label_of_calibrated, calibrated_confidence, calibrated_correct;
    for (const Compared& row : rows) {
        const double* against = std::get_if<double>(&row.against);
        if (!is_graded(row, Mode::absolute) || !against) continue;
        const double given = verdict_value(*row.result);
        score.push_back(given);
        label.push_back(*against);
        if (const auto mean = expected_on_scale(*row.result)) {
            expected.push_back(*mean);
            label_of_expected.push_back(*against);
        }
        const auto value = row.result->number("calibrated.score");
        if (value && !row.result->scale) {  // calibrated scores are of 1 to 5
            calibrated.push_back(*value);
            label_of_calibrated.push_back(*against);
        }
        const auto right = rating_of(*row.result, *against);
        if (!right) continue;
        rating.push_back(given);
        rounded.push_back(*right);
        if (const auto probability = confidence_on_scale(*row.result)) {
            confidence.push_back(*probability);
            correct.push_back(given == *right);
        }
        if (const auto probability = calibrated_confidence_of(*row.result)) {
            calibrated_confidence.push_back(*probability);
            calibrated_correct.push_back(given == *right);
        }
    }
    all.push_back(number_figures("", std::move(score), std::move(label)));
    all.push_back(number_figures("expected_", std::move(expected), std::move(label_of_expected)));
    all.push_back(rating_figures("", std::move(rating), std::move(rounded), true));
    all.push_back(reliability_figures("", std::move(confidence), std::move(correct)));
    all.push_back(
        number_figures("calibrated_", std::move(calibrated), std::move(label_of_calibrated)));
    all.push_back(reliability_figures("calibrated_", std::move(calibrated_confidence),
                                      std::move(calibrated_correct)));
}

// A judge's preferences against "A", "B" and "tie".
void add_preferences(std::vector<Figures>& all, Rows rows) {
    Column verdict, label, with_ties, confidence, correct;
    Column calibrated_confidence, calibrated_correct;
    for (const Compared& row : rows) {
        const auto* against = std::get_if<std::string>(&row.against);
        if (!is_graded(row, Mode::relative) || !against) continue;
        const bool right = *against == std::string(1, row.result->facts.verdict);
        with_ties.push_back(right);
        if (*against != "A" && *against != "B") continue;
        verdict.push_back(verdict_value(*row.result));
        label.push_back(*against == "A");
        if (const auto probability = row.result->number("confidence")) {
            confidence.push_back(*probability);
            correct.push_back(right);
        }
        if (const auto probability = calibrated_confidence_of(*row.result)) {
            calibrated_confidence.push_back(*probability);
            calibrated_correct.push_back(right);
        }
    }
    all.push_back(rating_figures("pair_", std::move(verdict), std::move(label), false));
    all.push_back(mean_figure("pair_accuracy_with_ties", std::move(with_ties)));
    all.push_back(reliability_figures("pair_", std::move(confidence), std::move(correct)));
    all.push_back(reliability_figures("pair_calibrated_", std::move(calibrated_confidence),
                                      std::move(calibrated_correct)));
}

// What the verdict was in each sample; empty if there was one text.
Column samples_of(const Result& result) {
    Column verdicts;
    if (const auto* samples = result.find("samples"); samples && samples->is_array())
        for (const auto& sample : *samples)
            if (const char verdict = facts_of(sample).verdict) verdicts.push_back(verdict);
    return verdicts;
}

void add_sampling(std::vector<Figures>& all, Rows rows, Mode mode) {
    std::vector<Column> units;
    for (const Compared& row : rows)
        if (Column verdicts = samples_of(*row.result); is_graded(row, mode) && verdicts.size() > 1)
            units.push_back(std::move(verdicts));
    const bool pairs = mode == Mode::relative;
    all.push_back(figures_of({pairs ? "pair_alpha" : "alpha"}, std::move(units),
                             [pairs](const std::vector<Column>& drawn) {
                                 return Row{krippendorff_alpha(
                                     drawn, pairs ? Level::nominal : Level::ordinal)};
                             }));
}

char verdict_in(const Result& result, std::string_view path) {
    const auto* order = result.find(path);
    return order ? facts_of(*order).verdict : '\0';
}

// Of pairs that were judged in both orders.
void add_position_bias(std::vector<Figures>& all, Rows rows) {
    Column consistent, first_wins, a_shown_first, a_shown_second, prefers_first;
    for (const Compared& row : rows) {
        const char ab = verdict_in(*row.result, "orders.ab"),
                   ba = verdict_in(*row.result, "orders.ba");
        if (!ab || !ba) continue;
        consistent.push_back(ab == ba);
        first_wins.push_back(((ab == 'A') + (ba == 'B')) / 2.0);
        a_shown_first.push_back(ab == 'A');
        a_shown_second.push_back(ba == 'A');
        if (ab != ba) prefers_first.push_back(ab == 'A');
    }
    all.push_back(mean_figure("consistency", std::move(consistent)));
    all.push_back(mean_figure("first_wins", std::move(first_wins)));
    all.push_back(mean_figure("a_shown_first", std::move(a_shown_first)));
    all.push_back(mean_figure("a_shown_second", std::move(a_shown_second)));
    all.push_back(mean_figure("inconsistent_prefer_first", std::move(prefers_first)));
}

double difference(std::uint64_t a, std::uint64_t b) {
    return static_cast<double>(a) - static_cast<double>(b);
}

void add_pair_lengths(std::vector<Figures>& all, Rows rows, const std::string& first) {
    struct Pair {
        double wins, difference;  // of the first contestant
    };
    std::vector<Pair> pairs;
    Column wins, longer_wins;
    for (const Compared& row : rows) {
        const Result& result = *row.result;
        if (!is_graded(row, Mode::relative) || result.characters.size() != 2) continue;
        const double a_wins = verdict_value(result),
                     longer_a = difference(result.characters[0], result.characters[1]);
        if (longer_a != 0) longer_wins.push_back((longer_a > 0) == (a_wins == 1));
        const bool exchanged = result.generators.size() == 2 && result.generators[1] == first;
        pairs.push_back(exchanged ? Pair{1 - a_wins, -longer_a} : Pair{a_wins, longer_a});
        wins.push_back(pairs.back().wins);
    }
    all.push_back(mean_figure("longer_wins", std::move(longer_wins)));
    all.push_back(mean_figure("win_rate", std::move(wins)));
    all.push_back(figures_of({"lc_win_rate"}, std::move(pairs), [](const std::vector<Pair>& drawn) {
        Column preferences, differences;
        for (const Pair& pair : drawn) {
            preferences.push_back(pair.wins);
            differences.push_back(pair.difference);
        }
        const auto fit = length_controlled_win_rate(preferences, differences);
        return Row{fit ? std::optional(fit->win_rate) : std::nullopt};
    }));
}

// Whether longer responses get higher scores from the judge, and from whom it is compared with.
void add_score_lengths(std::vector<Figures>& all, Rows rows) {
    struct Response {
        double characters, score, label;
    };
    std::vector<Response> by_judge, by_label;
    for (const Compared& row : rows) {
        const Result& result = *row.result;
        if (!is_graded(row, Mode::absolute) || result.characters.size() != 1) continue;
        const double score = result.facts.expected_score.value_or(verdict_value(result));
        const double* label = std::get_if<double>(&row.against);
        const Response response{static_cast<double>(result.characters[0]), score,
                                label ? *label : 0};
        by_judge.push_back(response);
        if (label) by_label.push_back(response);
    }
    const auto with_length = [](double Response::*value) {
        return [value](const std::vector<Response>& drawn) {
            Column characters, values;
            for (const Response& response : drawn) {
                characters.push_back(response.characters);
                values.push_back(response.*value);
            }
            return Row{spearman(characters, values)};
        };
    };
    all.push_back(
        figures_of({"length_spearman"}, std::move(by_judge), with_length(&Response::score)));
    all.push_back(
        figures_of({"label_length_spearman"}, std::move(by_label), with_length(&Response::label)));
}

void add_counts(std::vector<Figures>& all, Rows rows) {
    Column unscored, forced;
    for (const Compared& row : rows) {
        unscored.push_back(!row.result->scored());
        if (row.result->scored()) forced.push_back(row.result->facts.forced);
    }
    all.push_back(mean_figure("unscored_share", std::move(unscored)));
    all.push_back(mean_figure("forced_share", std::move(forced)));
}

std::vector<Figures> judge_figures(Rows rows, const std::string& first_contestant) {
    std::vector<Figures> all;
    add_scores(all, rows);
    add_preferences(all, rows);
    for (const Mode mode : {Mode::absolute, Mode::relative}) add_sampling(all, rows, mode);
    add_position_bias(all, rows);
    add_pair_lengths(all, rows, first_contestant);
    add_score_lengths(all, rows);
    add_counts(all, rows);
    return all;
}

[[noreturn]] void fail_kinds(const Result& result, const std::string& column, bool word) {
    throw Error("line " + std::to_string(result.line) + ": " + column + " is a " +
                (word ? "word" : "number") + ", what it is compared with a " +
                (word ? "number" : "word"));
}

// A preference beside a column of numbers, such as the probability of A.
Cell number_of_preference(const Cell& cell) {
    const auto* word = std::get_if<std::string>(&cell);
    if (!word || (*word != "A" && *word != "B" && *word != "tie")) return cell;
    return *word == "A" ? 1 : *word == "B" ? 0 : 0.5;
}

// Of a column, an item is unscored where it is empty.
void add_empty_share(std::vector<Figures>& all, Rows rows, const std::string& column) {
    Column empty;
    for (const Compared& row : rows) empty.push_back(cell(*row.result, column).index() == 0);
    all.push_back(mean_figure("unscored_share", std::move(empty)));
}

// Any two columns: of numbers, whose agreement is counted if they are whole, or of words.
std::vector<Figures> column_figures(Rows rows, const std::string& column) {
    Column x, y, words_x, words_y;
    std::map<std::string, double> numbered;
    const auto number_of = [&](const std::string& word) {
        return numbered.emplace(word, static_cast<double>(numbered.size())).first->second;
    };
    for (const Compared& row : rows) {
        const Cell own = cell(*row.result, column);
        if (own.index() == 0 || row.against.index() == 0) continue;
        const double* number = std::get_if<double>(&own);
        const Cell other = number ? number_of_preference(row.against) : row.against;
        if (own.index() != other.index()) fail_kinds(*row.result, column, !number);
        if (number) {
            x.push_back(*number);
            y.push_back(std::get<double>(other));
        } else {
            words_x.push_back(number_of(std::get<std::string>(own)));
            words_y.push_back(number_of(std::get<std::string>(other)));
        }
    }
    const auto is_whole = [](double value) { return value == std::floor(value); };
    const bool ratings = std::ranges::all_of(x, is_whole) && std::ranges::all_of(y, is_whole);
    std::vector<Figures> all;
    all.push_back(number_figures("", x, y));
    if (ratings) all.push_back(rating_figures("", std::move(x), std::move(y), true));
    all.push_back(rating_figures("words_", std::move(words_x), std::move(words_y), false));
    add_empty_share(all, rows, column);
    return all;
}

std::vector<Metric> metrics_of(Rows rows, const ScoringOptions& options,
                               const std::string& first_contestant) {
    std::vector<Metric> metrics;
    for (const Figures& figures : options.column.empty() ? judge_figures(rows, first_contestant)
                                                         : column_figures(rows, options.column))
        if (figures.n > 0)
            for (Metric& metric : measured(figures, options.bootstrap))
                metrics.push_back(std::move(metric));
    return metrics;
}

std::string word_of(const Cell& cell) {
    if (const auto* word = std::get_if<std::string>(&cell)) return *word;
    if (const auto* number = std::get_if<double>(&cell))
        return nlohmann::json(*number == std::floor(*number) ? nlohmann::json(std::llround(*number))
                                                             : nlohmann::json(*number))
            .dump();
    return "";
}

// What each result is compared with.
std::vector<Compared> compared(std::span<const Result> results, const ScoringOptions& options,
                               std::optional<std::span<const Result>> others) {
    std::optional<SameItems> same;
    if (others) same.emplace(*others);
    const std::string column = !options.against.empty() ? options.against
                               : others                 ? options.column
                                                        : "label";
    std::vector<Compared> rows;
    for (const Result& result : results) {
        const Result* other = same ? same->of(result) : &result;
        rows.push_back({&result, !other           ? Cell()
                                 : column.empty() ? verdict_cell(*other)
                                                  : cell(*other, column)});
    }
    const auto is_compared = [](const Compared& row) { return row.against.index() != 0; };
    if (const bool asked = others || !options.against.empty() || !options.column.empty();
        asked && !rows.empty() && std::ranges::none_of(rows, is_compared))
        throw Error(others ? "no record of the one file is compared with one of the other: no id "
                             "that both have, with " +
                                 (column.empty() ? "a verdict" : column)
                           : "no record has " + column);
    return rows;
}

// Of those figures that benchmarks average over their parts.
void add_macro_averages(Scores& scores) {
    for (const char* name : {"pearson", "expected_pearson", "accuracy", "pair_accuracy",
                             "pair_accuracy_with_ties", "words_accuracy"}) {
        double sum = 0;
        std::size_t groups = 0;
        for (const GroupScores& group : scores.groups)
            if (const Metric* metric = find_metric(group.metrics, name); metric && metric->value) {
                sum += *metric->value;
                ++groups;
            }
        if (groups > 0)
            scores.metrics.push_back({.name = std::string(name) + "_macro",
                                      .value = sum / static_cast<double>(groups),
                                      .n = groups});
    }
}

}  // namespace

Scores score(std::span<const Result> results, const ScoringOptions& options,
             std::optional<std::span<const Result>> others) {
    const std::vector<Compared> rows = compared(results, options, others);
    const std::string first = contestants(results).first;
    Scores scores{.metrics = metrics_of(rows, options, first), .groups = {}};
    scores.compared = static_cast<std::size_t>(
        std::ranges::count_if(rows, [](const Compared& row) { return row.against.index() != 0; }));
    if (options.by.empty()) return scores;
    std::map<std::string, std::vector<Compared>> groups;
    for (const Compared& row : rows)
        if (const std::string group = word_of(cell(*row.result, options.by)); !group.empty())
            groups[group].push_back(row);
    ScoringOptions of_groups = options;
    if (!options.group_intervals) of_groups.bootstrap.resamples = 0;
    for (const auto& [group, of_group] : groups)
        scores.groups.push_back({group, metrics_of(of_group, of_groups, first)});
    add_macro_averages(scores);
    return scores;
}

std::pair<std::string, std::string> contestants(std::span<const Result> results) {
    std::pair<std::string, std::string> names{"A", "B"};
    bool named = false;
    for (const Result& result : results) {
        if (result.mode != Mode::relative || !result.scored()) continue;
        if (result.generators.size() != 2) return {"A", "B"};
        const auto &a = result.generators[0], &b = result.generators[1];
        if (!std::exchange(named, true)) names = {a, b};
        if (std::minmax(a, b) != std::minmax(names.first, names.second) || a == b)
            return {"A", "B"};
    }
    return names;
}

const Metric* find_metric(std::span<const Metric> metrics, std::string_view name) {
    const auto found = std::ranges::find(metrics, name, &Metric::name);
    return found == metrics.end() ? nullptr : &*found;
}

nlohmann::ordered_json to_json(std::span<const Metric> metrics) {
    auto json = nlohmann::ordered_json::object();
    for (const Metric& metric : metrics) json[metric.name] = to_json(metric);
    return json;
}

}  // namespace assay
