#include "grader/eval/figures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "grader/eval/evaluation.h"
#include "grader/eval/published.h"
#include "grader/statistics/agreement.h"
#include "grader/statistics/correlation.h"
#include "runtime/error.h"

namespace assay::eval {
namespace {

using Json = nlohmann::ordered_json;

Item item_of(int id, Mode mode) {
    Item item;
    item.id = {std::to_string(id), true};
    item.mode = mode;
    item.instruction = "Question " + std::to_string(id);
    item.response = "one";
    if (mode == Mode::relative) item.response_b = "two";
    item.rubric = {"[Good?]\nScore 1: a\nScore 2: b\nScore 3: c\nScore 4: d\nScore 5: e", false};
    return item;
}

Item labelled(int id, std::map<std::string, std::vector<double>> scores) {
    Item item = item_of(id, Mode::absolute);
    item.label = Label{.scores = std::move(scores), .preferred = {}};
    return item;
}

Item pair(int id, char preferred, const std::string& group = "") {
    Item item = item_of(id, Mode::relative);
    item.label = Label{.scores = {}, .preferred = preferred};
    if (!group.empty()) item.group = group;
    return item;
}

// A file of records as grading writes it.
class Records {
public:
    void score(const Item& item, const std::vector<int>& scores, double expected) {
        Json record = start(item);
        record["score"] = scores.front();
        record["expected_score"] = expected;
        for (const int score : scores)
            if (scores.size() > 1)
                record["samples"].push_back({{"score", score}, {"parse", "text"}});
        add(record);
    }
    void rank(const Item& item, const std::string& verdict, const std::string& given,
              bool consistent) {
        Json record = start(item);
        record["verdict"] = verdict;
        record["consistent"] = consistent;
        record["orders"]["ab"] = {{"verdict", given}, {"parse", "text"}};
        record["orders"]["ba"] = {{"verdict", verdict}, {"parse", "forced"}, {"redraws", 5}};
        add(record);
    }
    void fail(const Item& item) {
        Json record = start(item);
        record["score"] = nullptr;
        record["reason"] = "context_exceeded";
        add(record);
    }
    std::vector<Result> results() const {
        std::istringstream lines(text_);
        return read_results(lines, "records");
    }

private:
    static Json start(const Item& item) {
        return {{"id", item.id.text}, {"item_hash", item_hash(item)}, {"mode", name(item.mode)}};
    }
    void add(const Json& record) { text_ += record.dump() + "\n"; }

    std::string text_;
};

struct Evaluated {
    QuestionCounts counts;
    std::map<std::string, Metric> metrics;
    std::vector<Figure> figures;
};

Evaluated evaluate(const Benchmark& benchmark, const std::vector<Item>& items,
                   const Records& records) {
    const auto results = records.results();
    const Outcomes outcomes =
        outcomes_of(benchmark, items, {.protocols = benchmark.protocols()}, results);
    Evaluated evaluated{outcomes.counts, {}, figures_of(benchmark, items, outcomes.of_records, 1)};
    for (const Figure& figure : evaluated.figures)
        EXPECT_TRUE(evaluated.metrics.emplace(figure.metric.name, figure.metric).second)
            << figure.metric.name;
    return evaluated;
}

TEST(EvalFigures, ScoresAreMeansOfRunsAgainstMeansOfLabels) {
    const Benchmark& flask = benchmark_named("flask");
    const std::vector<Item> items{
        labelled(1, {{"gpt4", {5, 4, 5}}, {"human", {4}}}), labelled(2, {{"gpt4", {1, 1, 2}}}),
        labelled(3, {{"gpt4", {3, 3, 3}}, {"human", {2, 3}}}), labelled(4, {{"gpt4", {4, 4, 4}}}),
        labelled(5, {{"gpt4", {1, 5, 1}}, {"human", {5}}})};
    Records records;
    records.score(items[0], {5, 5, 4}, 4.6);
    records.score(items[1], {2, 1, 1}, 1.5);
    records.score(items[2], {3, 4, 4}, 3.5);
    records.score(items[3], {4, 4, 2}, 3.2);
    records.fail(items[4]);
    const Evaluated evaluated = evaluate(flask, items, records);

    const std::vector<double> ours{14 / 3.0, 4 / 3.0, 11 / 3.0, 10 / 3.0},
        expected{4.6, 1.5, 3.5, 3.2}, gpt4{14 / 3.0, 4 / 3.0, 3, 4};
    const auto& metrics = evaluated.metrics;
    EXPECT_EQ(metrics.at("gpt4.pearson").value, pearson(ours, gpt4));
    EXPECT_EQ(metrics.at("gpt4.spearman").value, spearman(ours, gpt4));
    EXPECT_EQ(metrics.at("gpt4.kendall_tau_b").value, kendall_tau_b(ours, gpt4));
    EXPECT_EQ(metrics.at("gpt4.expected_pearson").value, pearson(expected, gpt4));
    EXPECT_EQ(metrics.at("gpt4.pearson").n, 4u);
    // Two records are left that people scored: a straight line.
    EXPECT_NEAR(metrics.at("human.pearson").value.value(), 1, 1e-12);
    EXPECT_EQ(metrics.at("human.pearson").n, 2u);
    const std::vector<std::vector<double>> runs{{5, 5, 4}, {2, 1, 1}, {3, 4, 4}, {4, 4, 2}};
    EXPECT_EQ(metrics.at("alpha").value, krippendorff_alpha(runs, Level::ordinal));
    EXPECT_FALSE(metrics.contains("gpt4.accuracy"));
    const Metric& correlation = metrics.at("gpt4.pearson");
    EXPECT_LE(correlation.low.value(), correlation.value.value());
    EXPECT_GE(correlation.high.value(), correlation.value.value());
    EXPECT_EQ(evaluated.counts.unscored, 1u);
    EXPECT_EQ(evaluated.counts.texts, 12u);
}

TEST(EvalFigures, FeedbackBenchCountsTheFirstRunsThatHit) {
    const std::vector<Item> items{labelled(1, {{"gpt4", {5}}}), labelled(2, {{"gpt4", {2}}}),
                                  labelled(3, {{"gpt4", {3}}})};
    Records records;
    records.score(items[0], {5, 1, 1}, 2);
    records.score(items[1], {3, 2, 2}, 2);
    records.score(items[2], {3, 3, 3}, 3);
    const auto metrics = evaluate(benchmark_named("feedback-bench"), items, records).metrics;
    EXPECT_NEAR(metrics.at("gpt4.accuracy").value.value(), 2 / 3.0, 1e-15);
}

TEST(EvalFigures, MeansOfGroupsAndTheirMean) {
    const Benchmark& biggen = benchmark_named("biggen");
    std::vector<Item> items{item_of(1, Mode::absolute), item_of(2, Mode::absolute),
                            item_of(3, Mode::absolute)};
    items[0].group = items[1].group = "planning";
    items[2].group = "safety";
    Records records;
    records.score(items[0], {5}, 5);
    records.score(items[1], {4}, 4);
    records.score(items[2], {1}, 1);
    const auto metrics = evaluate(biggen, items, records).metrics;
    EXPECT_EQ(metrics.at("score.planning").value, 4.5);
    EXPECT_EQ(metrics.at("score.safety").value, 1);
    EXPECT_EQ(metrics.at("score.mean_of_groups").value, 2.75);
    EXPECT_FALSE(metrics.contains("alpha")) << "there is one run";
}

// Answers a pair's scoring in a2r: draw by draw, chosen and rejected.
void score_pair(Records& records, const Benchmark& benchmark, const Item& item,
                const std::vector<std::pair<int, int>>& draws) {
    for (std::uint32_t draw = 0; draw < draws.size(); ++draw) {
        const auto& [chosen, rejected] = draws[draw];
        records.score(question(benchmark, item, Side::chosen, draw, false), {chosen}, chosen + .1);
        records.score(question(benchmark, item, Side::rejected, draw, false), {rejected}, rejected);
    }
}

void rank_pair(Records& records, const Benchmark& benchmark, const Item& item, char given,
               char overall) {
    records.rank(question(benchmark, item, Protocol::r2r, false), std::string(1, overall),
                 std::string(1, given), given == overall);
}

TEST(EvalFigures, PairsWithAndWithoutTies) {
    const Benchmark& benchmark = benchmark_named("mt-bench-human");
    const std::vector<Item> items{pair(1, 'A'), pair(2, 'B'), pair(3, 'B'),
                                  pair(4, '='), pair(5, '='), pair(6, 'A')};
    Records records;
    score_pair(records, benchmark, items[0], {{4, 2}});                  // right
    score_pair(records, benchmark, items[1], {{3, 3}, {2, 2}, {5, 4}});  // right at last
    score_pair(records, benchmark, items[2], {{3, 3}, {3, 3}, {3, 3}});  // alike: wrong
    score_pair(records, benchmark, items[3], {{3, 3}});                  // right
    score_pair(records, benchmark, items[4], {{3, 2}});                  // wrong
    records.fail(question(benchmark, items[5], Side::chosen, 0, false));
    records.score(question(benchmark, items[5], Side::rejected, 0, false), {1}, 1);
    rank_pair(records, benchmark, items[0], 'A', 'B');  // right, wrong by both orders
    rank_pair(records, benchmark, items[1], 'B', 'B');  // right
    rank_pair(records, benchmark, items[2], 'B', 'B');  // right
    rank_pair(records, benchmark, items[3], 'A', 'A');  // a tie cannot be right
    rank_pair(records, benchmark, items[4], 'A', 'A');
    rank_pair(records, benchmark, items[5], 'B', 'B');  // wrong
    const Evaluated evaluated = evaluate(benchmark, items, records);

    const auto value = [&](const char* metric) {
        return evaluated.metrics.at(metric).value.value();
    };
    EXPECT_DOUBLE_EQ(value("a2r.accuracy"), 2 / 3.0);
    EXPECT_DOUBLE_EQ(value("a2r.accuracy_with_ties"), 3 / 5.0);
    EXPECT_DOUBLE_EQ(value("a2r.expected_accuracy"), 1);  // .1 decides where scores are alike
    EXPECT_DOUBLE_EQ(value("r2r.accuracy"), 3 / 4.0);
    EXPECT_DOUBLE_EQ(value("r2r.accuracy_with_ties"), 3 / 6.0);
    EXPECT_DOUBLE_EQ(value("r2r.both_orders_accuracy"), 2 / 4.0);
    EXPECT_DOUBLE_EQ(value("r2r.consistency"), 5 / 6.0);
    EXPECT_NEAR(value("format_gap"), 1 - 2 / 3.0, 1e-12);  // on the three pairs that have both
    EXPECT_EQ(evaluated.metrics.at("format_gap").n, 3u);
    EXPECT_EQ(evaluated.counts.asked, 20u + 6);
    EXPECT_EQ(evaluated.counts.unscored, 1u);
    EXPECT_EQ(evaluated.counts.missing, 0u);
    EXPECT_EQ(evaluated.counts.alike, 2u);
    EXPECT_EQ(evaluated.counts.at_last, 1u);
    EXPECT_EQ(evaluated.counts.forced, 6u);
    EXPECT_EQ(evaluated.counts.redrawn, 30u);
    EXPECT_FALSE(evaluated.metrics.contains("r2r.transitivity"));
}

TEST(EvalFigures, AveragesOverAllAndOverGroups) {
    const Benchmark& hhh = benchmark_named("hhh");
    const std::vector<Item> items{pair(1, 'A', "helpful"), pair(2, 'A', "helpful"),
                                  pair(3, 'A', "helpful"), pair(4, 'B', "honest")};
    Records records;
    rank_pair(records, hhh, items[0], 'A', 'A');
    rank_pair(records, hhh, items[1], 'A', 'A');
    rank_pair(records, hhh, items[2], 'B', 'B');
    rank_pair(records, hhh, items[3], 'A', 'A');
    const auto evaluated = evaluate(hhh, items, records);
    const auto value = [&](const char* metric) {
        return evaluated.metrics.at(metric).value.value();
    };
    EXPECT_DOUBLE_EQ(value("r2r.accuracy"), 2 / 4.0);
    EXPECT_DOUBLE_EQ(value("r2r.accuracy.helpful"), 2 / 3.0);
    EXPECT_DOUBLE_EQ(value("r2r.accuracy.honest"), 0);
    EXPECT_DOUBLE_EQ(value("r2r.accuracy.mean_of_groups"), 1 / 3.0);
    EXPECT_FALSE(evaluated.metrics.contains("r2r.accuracy_with_ties"));
    EXPECT_FALSE(evaluated.metrics.contains("a2r.accuracy"));
    EXPECT_EQ(evaluated.counts.missing, 8u);
}

// Responses r1 to r5 of one instruction, of which the later is the better: all ten pairs.
std::vector<Item> tournament() {
    std::vector<Item> items;
    for (int low = 1; low <= 5; ++low)
        for (int high = low + 1; high <= 5; ++high) {
            Item item = pair(10 * low + high, high % 2 ? 'A' : 'B');
            item.instruction = "Which?";
            item.response = "r" + std::to_string(high % 2 ? high : low);
            item.response_b = "r" + std::to_string(high % 2 ? low : high);
            items.push_back(item);
        }
    return items;
}

TEST(EvalFigures, TransitivityCountsEveryMiddle) {
    const Benchmark& benchmark = benchmark_named("preference-bench");
    const std::vector<Item> items = tournament();
    Records records;
    for (const Item& item : items) {
        const bool a_wins = chosen_is_a(item);
        const bool wrong = item.id.text == "14" || item.id.text == "12";
        const char verdict = a_wins != wrong ? 'A' : 'B';
        rank_pair(records, benchmark, item, verdict, verdict);
        const std::pair<int, int> scores = item.id.text == "15" ? std::pair(3, 3) : std::pair(4, 2);
        score_pair(records, benchmark, item,
                   item.id.text == "15" ? std::vector(3, scores) : std::vector{scores});
    }
    const auto metrics = evaluate(benchmark, items, records).metrics;
    // Of ten chains 1 < 4 is the outside of two, and 1 < 2 of none.
    EXPECT_DOUBLE_EQ(metrics.at("r2r.transitivity").value.value(), 0.8);
    // 1 and 5 are the outside of three chains, and are scored alike: half of them.
    EXPECT_DOUBLE_EQ(metrics.at("a2r.transitivity").value.value(), 0.85);
    EXPECT_EQ(metrics.at("r2r.transitivity").n, 1u);  // instruction
}

TEST(EvalFigures, NamesTheLineThatNoRunWrote) {
    const std::vector<Item> items{labelled(1, {{"gpt4", {5}}})};
    const std::string start = R"({"id":1,"item_hash":")" + item_hash(items[0]) + R"(","score":4,)";
    for (const char* rest : {R"("samples":[{"score":4},{"score":null}]})", R"("samples":[]})"}) {
        std::istringstream lines("{\"id\":0,\"score\":1}\n" + start + rest + "\n");
        const auto results = read_results(lines, "records");
        try {
            outcomes_of(benchmark_named("vicuna"), items, {.protocols = {Protocol::a2a}}, results);
            ADD_FAILURE() << rest;
        } catch (const Error& error) {
            EXPECT_TRUE(std::string(error.what()).starts_with("line 2: ")) << error.what();
        }
    }
}

TEST(EvalFigures, RecordsOfOtherTextsDoNotCount) {
    const Benchmark& benchmark = benchmark_named("vicuna");
    std::vector<Item> items{labelled(1, {{"gpt4", {5}}}), labelled(2, {{"gpt4", {3}}})};
    Records records;
    records.score(items[0], {5}, 5);
    records.score(items[1], {1}, 1);
    items[1].response += " changed";
    const Evaluated evaluated = evaluate(benchmark, items, records);
    EXPECT_EQ(evaluated.counts.missing, 1u);
    EXPECT_EQ(evaluated.metrics.at("gpt4.pearson").n, 1u);
    EXPECT_FALSE(evaluated.metrics.at("gpt4.pearson").value) << "one record has no correlation";
}

// Records of a benchmark that have all it may have, labels, groups and ties, and judged in every
// way: some well, some badly.
struct Everything {
    std::vector<Item> items;
    std::vector<Outcome> outcomes;

    explicit Everything(const Benchmark& benchmark) {
        const std::vector<std::string> groups{"helpful", "harmless", "honest", "other"};
        for (int i = 0; i < 12; ++i) {
            const double score = 1 + i % 5, other = 1 + i % 3;
            const std::string& group = groups[static_cast<std::size_t>(i % 4)];
            if (benchmark.mode == Mode::absolute) {
                items.push_back(
                    labelled(i, {{"gpt4", {score}}, {"claude", {score}}, {"human", {other}}}));
                outcomes.push_back({.score = Scored{{score, other, score}, other}});
            } else {
                items.push_back(pair(i, "AB="[i % 3], group));
                outcomes.push_back({.score = {},
                                    .scores = {{Scored{{score}, score}, Scored{{other}, other}}},
                                    .rank = Ranked{i % 2 ? 'A' : 'B', 'A', i % 4 == 0}});
            }
        }
    }
};

TEST(EvalPublished, FiguresAreOfMetricsThatAreComputed) {
    for (const Benchmark& benchmark : benchmarks()) {
        const Everything all(benchmark);
        std::set<std::string> computed;
        for (const Figure& figure : figures_of(benchmark, all.items, all.outcomes, 1))
            computed.insert(figure.metric.name);
        const auto published = published_figures(benchmark.name);
        EXPECT_FALSE(published.empty()) << benchmark.name;
        for (const auto& [judge, metric, value] : published) {
            EXPECT_TRUE(computed.contains(metric)) << benchmark.name << " " << metric;
            EXPECT_TRUE(value >= 0 && value <= 1)
                << benchmark.name << " " << judge << " " << metric;
        }
    }
}

TEST(EvalPublished, RowsAreThePapers) {
    const auto value = [](std::string_view benchmark, std::string_view judge,
                          std::string_view metric) {
        for (const PublishedFigure& figure : published_figures(benchmark))
            if (figure.judge == judge && figure.metric == metric) return figure.value;
        return std::nan("");
    };
    EXPECT_DOUBLE_EQ(value("vicuna", "Prometheus-2-8x7B", "gpt4.pearson"), .685);
    EXPECT_DOUBLE_EQ(value("feedback-bench", "Prometheus-2-7B", "gpt4.kendall_tau_b"), .784);
    EXPECT_DOUBLE_EQ(value("flask", "Claude-3-Opus", "human.pearson"), .573);
    EXPECT_TRUE(std::isnan(value("vicuna", "GPT-4-1106", "gpt4.pearson")));
    EXPECT_NEAR(value("hhh", "GPT-4-1106", "r2r.accuracy.other"), .8372, 1e-12);
    EXPECT_NEAR(value("autoj", "Prometheus-2-8x7B", "a2r.accuracy_with_ties"), .5841, 1e-12);
    EXPECT_NEAR(value("preference-bench", "Auto-J-13B", "r2r.accuracy"), .8135, 1e-12);
    EXPECT_NEAR(value("mt-bench-human", "Prometheus-2-7B, linear", "r2r.accuracy"), .6725, 1e-12);
    // Prometheus 1 was measured on ties too.
    EXPECT_NEAR(value("mt-bench-human", "GPT-4-0613", "a2r.accuracy_with_ties"), .6387, 1e-12);
    EXPECT_TRUE(std::isnan(value("mt-bench-human", "GPT-4-0613", "a2r.accuracy")));
    // The groups of HHH have 59, 58, 61 and 43 pairs: where they add up, the row was read well.
    for (const char* judge : {"Prometheus-2-8x7B", "Mistral-7B-Instruct-v0.2", "GPT-4-1106",
                              "Claude-3-Opus", "PairRM-0.4B"}) {
        const double right = 59 * value("hhh", judge, "r2r.accuracy.helpful") +
                             58 * value("hhh", judge, "r2r.accuracy.harmless") +
                             61 * value("hhh", judge, "r2r.accuracy.honest") +
                             43 * value("hhh", judge, "r2r.accuracy.other");
        EXPECT_NEAR(right / 221, value("hhh", judge, "r2r.accuracy"), 2e-4) << judge;
    }
}

TEST(EvalText, PutsTheJudgeBesideThePublishedOnes) {
    const Figure figure{{.name = "gpt4.pearson", .value = .5, .low = .25, .high = .75, .n = 9},
                        Unit::number};
    const Figure undefined{{.name = "alpha", .n = 9}, Unit::number};
    const Evaluation evaluation{.benchmark = &benchmark_named("vicuna"),
                                .judge = "mine",
                                .data = "v.json",
                                .records = 9,
                                .how = {.protocols = {Protocol::a2a}},
                                .figures = {figure, undefined}};
    const std::string text = to_text(evaluation);
    EXPECT_NE(text.find("9 of 320 records"), std::string::npos) << text;
    EXPECT_NE(text.find("0.500"), std::string::npos) << text;
    EXPECT_NE(text.find("0.250 to 0.750"), std::string::npos) << text;
    EXPECT_NE(text.find("undefined"), std::string::npos) << text;
    EXPECT_NE(text.find("mine (this run)"), std::string::npos) << text;
    EXPECT_NE(text.find("Prometheus-2-8x7B"), std::string::npos) << text;
    const auto closing = closing_table(std::vector{evaluation, evaluation});
    EXPECT_NE(closing.find("vicuna gpt4.pearson"), std::string::npos) << closing;
    const Json json = to_json(evaluation);
    EXPECT_EQ(json["figures"][0]["metric"], "gpt4.pearson");
    EXPECT_EQ(json["figures"][0]["low"], .25);
    EXPECT_TRUE(json["figures"][1]["value"].is_null());
    EXPECT_EQ(json["benchmark"], "vicuna");
}

}  // namespace
}  // namespace assay::eval
