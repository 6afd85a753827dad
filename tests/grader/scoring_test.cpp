#include "grader/scoring.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grader/bounds.h"
#include "grader/rated.h"
#include "grader/statistics/correlation.h"
#include "grader/verdict_counts.h"
#include "runtime/error.h"

namespace assay {
namespace {

std::vector<Result> results_of(const std::string& text) {
    std::istringstream lines(text);
    return read_results(lines, "some.jsonl");
}

const std::string scores =
    R"({"id":1,"mode":"absolute","score":4,"expected_score":3.9,"confidence":0.9,"label":4,"group":"x","characters":10})"
    "\n"
    R"({"id":2,"mode":"absolute","score":2,"expected_score":2.3,"confidence":0.7,"label":[3,2],"group":"x","characters":30})"
    "\n"
    R"({"id":3,"mode":"absolute","score":5,"expected_score":4.6,"confidence":0.6,"label":5,"group":"y","characters":20,"parse":"forced"})"
    "\n"
    R"({"id":4,"mode":"absolute","score":null,"reason":"context_exceeded","label":1,"group":"y"})"
    "\n"
    R"({"id":5,"mode":"absolute","score":1,"expected_score":1.2,"confidence":0.8})"
    "\n";

const std::string pairs =
    R"({"id":1,"verdict":"A","label":"A","characters":[30,20],"orders":{"ab":{"verdict":"A"},"ba":{"verdict":"A"}},"consistent":true,"generator_A":"m","generator_B":"n"})"
    "\n"
    R"({"id":2,"verdict":"A","label":"B","characters":[10,20],"orders":{"ab":{"verdict":"A"},"ba":{"verdict":"B"}},"consistent":false,"generator_A":"n","generator_B":"m"})"
    "\n"
    R"({"id":3,"verdict":"B","label":"tie","characters":[5,5],"orders":{"ab":{"verdict":"B"},"ba":{"verdict":"B"}},"consistent":true,"generator_A":"m","generator_B":"n"})"
    "\n"
    R"({"id":4,"verdict":"B","label":"B","characters":[5,9],"generator_A":"n","generator_B":"m"})"
    "\n";

double value(std::span<const Metric> metrics, const char* name) {
    const Metric* metric = find_metric(metrics, name);
    if (!metric || !metric->value) throw Error(std::string("no ") + name);
    return *metric->value;
}

std::size_t count(std::span<const Metric> metrics, const char* name) {
    const Metric* metric = find_metric(metrics, name);
    return metric ? metric->n : 0;
}

ScoringOptions without_intervals() { return {.bootstrap = {.resamples = 0}}; }

TEST(Scoring, ComparesScoresWithLabels) {
    const auto metrics = score(results_of(scores), without_intervals()).metrics;
    const std::vector<double> given{4, 2, 5}, expected{3.9, 2.3, 4.6}, labels{4, 2.5, 5};
    EXPECT_EQ(value(metrics, "pearson"), *pearson(given, labels));
    EXPECT_EQ(value(metrics, "expected_kendall_tau_b"), *kendall_tau_b(expected, labels));
    EXPECT_NEAR(value(metrics, "mae"), 0.5 / 3, 1e-15);
    EXPECT_NEAR(value(metrics, "accuracy"), 2.0 / 3, 1e-15);  // 2.5 is rounded to 3
    EXPECT_NEAR(value(metrics, "brier"), (0.01 + 0.49 + 0.16) / 3, 1e-15);
    EXPECT_EQ(count(metrics, "accuracy"), 3u);
    // The unscored item is in no figure but its own.
    EXPECT_EQ(value(metrics, "unscored_share"), 0.2);
    EXPECT_EQ(value(metrics, "forced_share"), 0.25);
    EXPECT_EQ(count(metrics, "length_spearman"), 3u);
    EXPECT_EQ(find_metric(metrics, "pair_accuracy"), nullptr);
    EXPECT_EQ(find_metric(metrics, "pearson")->low, std::nullopt);
}

TEST(Scoring, ComparesPreferencesWithLabels) {
    const auto metrics = score(results_of(pairs), without_intervals()).metrics;
    EXPECT_NEAR(value(metrics, "pair_accuracy"), 2.0 / 3, 1e-15);
    EXPECT_EQ(value(metrics, "pair_accuracy_with_ties"), 0.5);
    EXPECT_NEAR(value(metrics, "consistency"), 2.0 / 3, 1e-15);
    EXPECT_NEAR(value(metrics, "first_wins"), (0.5 + 1 + 0.5) / 3, 1e-15);
    EXPECT_NEAR(value(metrics, "a_shown_first"), 2.0 / 3, 1e-15);
    EXPECT_NEAR(value(metrics, "a_shown_second"), 1.0 / 3, 1e-15);
    EXPECT_EQ(value(metrics, "inconsistent_prefer_first"), 1);
    EXPECT_EQ(count(metrics, "inconsistent_prefer_first"), 1u);
    EXPECT_NEAR(value(metrics, "longer_wins"), 2.0 / 3, 1e-15);
    EXPECT_EQ(count(metrics, "longer_wins"), 3u);
    EXPECT_EQ(value(metrics, "win_rate"), 0.5);  // m wins pairs 1 and 4
    EXPECT_EQ(find_metric(metrics, "pearson"), nullptr);
}

TEST(Scoring, NamesTheContestantsOfAllPairs) {
    using Names = std::pair<std::string, std::string>;
    EXPECT_EQ(contestants(results_of(pairs)), Names("m", "n"));
    EXPECT_EQ(contestants(results_of(pairs + R"({"id":9,"verdict":"A"})")), Names("A", "B"));
    EXPECT_EQ(contestants(results_of(
                  pairs + R"({"id":9,"verdict":"A","generator_A":"m","generator_B":"o"})")),
              Names("A", "B"));
}

TEST(Scoring, MeasuresAgreementOfSamples) {
    const auto metrics =
        score(results_of(R"({"id":1,"score":4,"samples":[{"score":4},{"score":4}]})"
                         "\n"
                         R"({"id":2,"score":2,"samples":[{"score":2},{"score":3}]})"
                         "\n"
                         R"({"id":3,"verdict":"A","samples":[{"verdict":"A"},{"verdict":"A"}]})"
                         "\n"),
              without_intervals())
            .metrics;
    // Ordinal, of 2, 3 and 4 given once, once and twice: 1 - 3 * 1 / (1 + 2 * 1.5^2 + 2 * 2.5^2).
    EXPECT_NEAR(value(metrics, "alpha"), 1 - 3.0 / 18, 1e-15);
    EXPECT_EQ(find_metric(metrics, "pair_alpha")->value, std::nullopt);  // all the same
}

TEST(Scoring, AveragesGroups) {
    ScoringOptions options = without_intervals();
    options.by = "group";
    const Scores scored = score(results_of(scores), options);
    ASSERT_EQ(scored.groups.size(), 2u);
    EXPECT_EQ(scored.groups[0].group, "x");
    EXPECT_EQ(value(scored.groups[0].metrics, "accuracy"), 0.5);
    EXPECT_EQ(value(scored.groups[1].metrics, "accuracy"), 1);
    EXPECT_EQ(value(scored.groups[1].metrics, "unscored_share"), 0.5);
    EXPECT_EQ(value(scored.metrics, "accuracy_macro"), 0.75);
    EXPECT_EQ(count(scored.metrics, "accuracy_macro"), 2u);
    EXPECT_EQ(count(scored.metrics, "pearson_macro"), 1u);  // one item has no correlation
}

TEST(Scoring, ComparesAnyTwoColumns) {
    ScoringOptions options = without_intervals();
    options.column = "expected_score";
    options.against = "characters";
    const std::vector<double> expected{3.9, 2.3, 4.6}, characters{10, 30, 20};
    EXPECT_EQ(value(score(results_of(scores), options).metrics, "spearman"),
              *spearman(expected, characters));
    options.column = "label";
    options.against = "score";
    EXPECT_EQ(find_metric(score(results_of(scores), options).metrics, "accuracy"), nullptr);
    options.column = "verdict";
    options.against = "";
    const auto words = score(results_of(pairs), options).metrics;
    EXPECT_EQ(value(words, "words_accuracy"), 0.5);
    EXPECT_EQ(value(words, "unscored_share"), 0);
    options.column = "characters";  // a preference beside a number is 1, 0 or 0.5
    EXPECT_EQ(count(score(results_of(pairs), options).metrics, "pearson"), 4u);
    options.column = "group";
    EXPECT_THROW(score(results_of(scores), options), Error);
}

TEST(Scoring, ComparesTwoFilesById) {
    const auto others = results_of(R"({"id":3,"score":4})"
                                   "\n"
                                   R"({"id":1,"score":4})"
                                   "\n"
                                   R"({"id":77,"score":1})"
                                   "\n");
    const auto metrics = score(results_of(scores), without_intervals(), others).metrics;
    EXPECT_EQ(value(metrics, "accuracy"), 0.5);
    EXPECT_EQ(count(metrics, "mae"), 2u);
}

TEST(Scoring, FindsEachItemInTheSameFileAgain) {
    // Items that stand twice, a text that looks like a number, and one item with another content.
    const auto results =
        results_of(R"({"id":1,"item_hash":"a","score":4})"
                   "\n"
                   R"({"id":1,"item_hash":"b","score":2,"warnings":["duplicate_id"]})"
                   "\n"
                   R"({"id":"1","item_hash":"c","score":5})"
                   "\n");
    ASSERT_EQ(results.size(), 3u);
    EXPECT_EQ(value(score(results, without_intervals(), results).metrics, "accuracy"), 1);
}

TEST(Scoring, SaysWhenThereIsNothingToCompare) {
    const auto error = [](const ScoringOptions& options,
                          std::optional<std::vector<Result>> others = {}) -> std::string {
        try {
            score(results_of(scores), options,
                  others ? std::optional(std::span<const Result>(*others)) : std::nullopt);
        } catch (const Error& thrown) {
            return thrown.what();
        }
        return "";
    };
    ScoringOptions options = without_intervals();
    options.against = "label.nobody";
    EXPECT_EQ(error(options), "no record has label.nobody");
    EXPECT_NE(error(without_intervals(), results_of("")), "");
    EXPECT_NE(error(without_intervals(), results_of(R"({"id":"1","score":4})")), "");
    const auto one = results_of(R"({"id":1,"score":4})");
    EXPECT_EQ(score(results_of(scores), without_intervals(), one).compared, 1u);
}

// "unscored" is where the column is empty: records of other programs have no verdict.
TEST(Scoring, CountsEmptyCellsOfAColumn) {
    ScoringOptions options = without_intervals();
    options.column = "a";
    options.against = "b";
    const auto metrics = score(results_of("{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":2}\n"
                                          "{\"a\":3,\"b\":1}\n{\"b\":1}\n"),
                               options)
                             .metrics;
    EXPECT_EQ(value(metrics, "unscored_share"), 0.25);
}

// Labels of records on another scale are on that scale too.
TEST(Scoring, ComparesOnTheScaleOfTheRecords) {
    const auto record = [](int id, int own, const char* verdict, double passes, int label) {
        return R"({"id":)" + std::to_string(id) + R"(,"mode":"absolute","score":)" +
               std::to_string(own) +
               R"(,"expected_score":4.5,"confidence":0.5,"probs":{"1":0,"2":0,"3":)" +
               std::to_string(1 - passes) + R"(,"4":)" + std::to_string(passes / 2) + R"(,"5":)" +
               std::to_string(passes / 2) +
               R"(},"scale":{"name":"pass-fail","pass_at":4,"value":)" + std::to_string(passes) +
               R"(,"verdict":")" + verdict + R"(","trained":false},"label":)" +
               std::to_string(label) + "}\n";
    };
    const auto results = results_of(record(1, 5, "pass", 0.75, 1) + record(2, 4, "pass", 0.75, 0) +
                                    record(3, 3, "fail", 0.25, 0) + record(4, 3, "fail", 0.25, 0));
    const auto metrics = score(results, without_intervals()).metrics;
    EXPECT_EQ(value(metrics, "accuracy"), 0.75);
    EXPECT_EQ(value(metrics, "mae"), 0.25);
    EXPECT_EQ(value(metrics, "expected_mae"), 0.375);  // of 0.25, 0.75, 0.25 and 0.25
    EXPECT_EQ(value(metrics, "ece"), 0);               // 0.75 likely, and right in three of four
    const VerdictCounts counts = count_verdicts(results);
    EXPECT_TRUE(counts.confusion.empty());  // "1" and "0" are no scores of 1 to 5
    EXPECT_EQ(counts.verdicts.at('3'), 2u);
}

TEST(Scoring, RatesLabelsByTheNearestValue) {
    const auto rating = [](const char* scale, double label) {
        return rating_of(
            results_of(R"({"score":4,"scale":{"name":")" + std::string(scale) + "\"}}")[0], label);
    };
    EXPECT_EQ(rating("1-10", 8.9), 10);
    EXPECT_EQ(rating("1-10", 8.8), 7.75);
    EXPECT_EQ(rating("1-3", 2.5), 3);
    EXPECT_EQ(rating("1-3", 3.1), std::nullopt);
    EXPECT_EQ(rating("binary", 0.5), 1);
    const auto own = results_of(R"({"score":4})");
    EXPECT_EQ(rating_of(own[0], 2.5), 3);  // halves upwards
    EXPECT_EQ(rating_of(own[0], 2.49), 2);
    EXPECT_EQ(rating_of(own[0], 0.9), std::nullopt);
}

TEST(Scoring, LeavesGroupsWithoutIntervalsWhereNoneAreAskedFor) {
    ScoringOptions options;
    options.by = "group";
    options.group_intervals = false;
    const Scores scored = score(results_of(scores), options);
    EXPECT_FALSE(find_metric(scored.groups[0].metrics, "mae")->low);
    EXPECT_TRUE(find_metric(scored.metrics, "mae")->low);
}

TEST(Scoring, GivesIntervals) {
    std::string many;
    for (int i = 0; i < 100; ++i)
        many += R"({"id":)" + std::to_string(i) + R"(,"score":)" + std::to_string(1 + i % 5) +
                R"(,"label":)" + std::to_string(1 + (i % 5 + (i % 4 == 0)) % 5) + "}\n";
    const auto metrics = score(results_of(many), {}).metrics;
    const Metric& accuracy = *find_metric(metrics, "accuracy");
    EXPECT_EQ(accuracy.value, 0.75);
    // The binomial's standard error is 0.043; ends of 2,000 resamples are steps of 0.01.
    EXPECT_NEAR(*accuracy.low, 0.75 - 1.96 * 0.0433, 0.015);
    EXPECT_NEAR(*accuracy.high, 0.75 + 1.96 * 0.0433, 0.015);
    EXPECT_EQ(to_json(metrics)["accuracy"]["n"], 100);
    ScoringOptions other_seed;
    other_seed.bootstrap.seed = 1;
    EXPECT_NE(score(results_of(many), other_seed).metrics[0].low, metrics[0].low);
    EXPECT_EQ(score(results_of(many), {}).metrics[0].low, metrics[0].low);
}

TEST(Scoring, CountsVerdictsAndLabels) {
    const VerdictCounts absolute = count_verdicts(results_of(scores));
    EXPECT_EQ(absolute.scored, 4u);
    EXPECT_EQ(absolute.unscored, 1u);
    EXPECT_EQ(absolute.confusion.at({'3', '2'}), 1u);
    EXPECT_EQ(absolute.labels.size(), 3u);
    const VerdictCounts relative = count_verdicts(results_of(pairs));
    EXPECT_EQ(relative.verdicts.at('A'), 2u);
    EXPECT_EQ(relative.labels.at('='), 1u);
    EXPECT_EQ(relative.inconsistent, std::vector<std::string>{"2"});
}

TEST(Bounds, AreReadAndChecked) {
    const Bound bound = parse_bound("pearson=0.5");
    EXPECT_EQ(bound.metric, "pearson");
    EXPECT_EQ(bound.value, 0.5);
    for (const char* wrong : {"pearson", "=1", "x=", "x=1y", "x=nan", ""})
        EXPECT_THROW(parse_bound(wrong), std::runtime_error) << wrong;

    const std::vector<Metric> metrics{{.name = "pearson", .value = 0.4},
                                      {.name = "ece"},
                                      {.name = "mae", .value = std::nan("")},
                                      {.name = "unscored_share", .value = 0.1}};
    const auto missed = [&](const Bounds& bounds) { return bounds.missed(metrics).value_or(""); };
    EXPECT_EQ(missed({.least = {bound}}), "pearson is 0.4, at least 0.5 expected");
    EXPECT_EQ(missed({.least = {{"pearson", 0.4}}}), "");
    EXPECT_EQ(missed({.least = {{"ece", 0}}}), "ece is not defined, at least 0 expected");
    EXPECT_EQ(missed({.least = {{"mae", 0}}}), "mae is nan, at least 0 expected");
    EXPECT_EQ(missed({.most = {{"mae", 1}}}), "mae is nan, at most 1 expected");
    EXPECT_EQ(missed({.most = {{"pearson", 0.3}}}), "pearson is 0.4, at most 0.3 expected");
    EXPECT_EQ(missed({.most = {{"pearson", 0.4}}}), "");
    EXPECT_EQ(missed({.most = {{"ece", 1}}}), "ece is not defined, at most 1 expected");
    EXPECT_THROW(missed({.least = {{"nosuch", 0}}}), Error);
    EXPECT_EQ(missed({.most_unscored = 0.05}), "unscored_share is 0.1, at most 0.05 expected");
    EXPECT_EQ(missed({.most_unscored = 0.1}), "");
}

}  // namespace
}  // namespace assay
