#include "grader/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "grader/calibration.h"

namespace assay {
namespace {

constexpr double rounding = 1e-12;  // a few operations on doubles of magnitude 1

// The example of the record's specification.
VerdictDistribution example() { return {Mode::absolute, {0.0, 0.02, 0.25, 0.62, 0.11}}; }

TEST(VerdictDistribution, ExampleOfTheSpecification) {
    EXPECT_NEAR(example().expected_score(), 3.82, rounding);
    EXPECT_EQ(example().of({'4'}), 0.62);
    EXPECT_EQ(example().likeliest(), Verdict{'4'});
    // The specification's 0.94 is of probabilities before they were rounded to two places.
    const double nats = -(0.02 * std::log(0.02) + 0.25 * std::log(0.25) + 0.62 * std::log(0.62) +
                          0.11 * std::log(0.11));
    EXPECT_NEAR(example().entropy(), nats, rounding);
}

TEST(VerdictDistribution, ExtremesOfEntropy) {
    const VerdictDistribution certain{Mode::relative, {0, 1}};
    const VerdictDistribution even{Mode::absolute, {0.2, 0.2, 0.2, 0.2, 0.2}};
    EXPECT_EQ(certain.entropy(), 0);
    EXPECT_EQ(certain.likeliest(), Verdict{'B'});
    EXPECT_NEAR(even.entropy(), std::log(5), rounding);
    EXPECT_NEAR(even.expected_score(), 3, rounding);
}

TEST(VerdictDistribution, IsTheSoftmaxOfLogits) {
    const float e = std::log(3.0f);
    const auto pair = verdict_distribution(Mode::relative, std::vector<float>{700 + e, 700});
    EXPECT_NEAR(pair.of({'A'}), 0.75, 1e-4);  // 700 + log 3 has 6e-5 between floats
    EXPECT_NEAR(pair.of({'A'}) + pair.of({'B'}), 1, rounding);
    const float none = -std::numeric_limits<float>::infinity();
    const auto one =
        verdict_distribution(Mode::absolute, std::vector<float>{none, none, -9e30f, none, none});
    EXPECT_EQ(one.of({'3'}), 1);
}

TEST(VerdictDistribution, RefusesBadLogits) {
    const float infinity = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const std::vector<float>& logits : std::vector<std::vector<float>>{
             {}, {1}, {1, 2, 3}, {nan, 1}, {infinity, 1}, {-infinity, -infinity}})
        EXPECT_THROW(verdict_distribution(Mode::relative, logits), std::runtime_error);
}

Record absolute_record() {
    return {.id = {"x1", false},
            .mode = Mode::absolute,
            .result = Grade{.verdict = {'4'},
                            .distribution = example(),
                            .source = VerdictSource::forced,
                            .finish = Finish::length,
                            .feedback = "Good. [RESULT] 4",
                            .tokens = {1103, 226, 139},
                            .milliseconds = {12.34567, 890}},
            .profile = "hf-card",
            .judge = {"judge", "q4_k", "5e1f"},
            .seed = 17,
            .warnings = {"no_reference"}};
}

TEST(Record, Absolute) {
    EXPECT_EQ(
        to_json_line(absolute_record()),
        R"({"id":"x1","mode":"absolute","score":4,"expected_score":3.82)"
        R"(,"probs":{"1":0.0,"2":0.02,"3":0.25,"4":0.62,"5":0.11},"confidence":0.62,"entropy":0.963996)"
        R"(,"parse":"forced","feedback":"Good. [RESULT] 4","finish":"length",)"
        R"("tokens":{"prompt":1103,"cached":226,"generated":139},)"
        R"("ms":{"prefill":12.346,"decode":890.0},"profile":"hf-card",)"
        R"("judge":{"model":"judge","sha256":"5e1f","quant":"q4_k"},"seed":17,)"
        R"("warnings":["no_reference"]})");
}

TEST(Record, Relative) {
    Record record = absolute_record();
    record.id = {"12", true};
    record.mode = Mode::relative;
    record.result = Grade{.verdict = {'B'}, .distribution = {Mode::relative, {0.25, 0.75}}};
    const auto json = to_json(record);
    EXPECT_EQ(json["id"], 12);
    EXPECT_EQ(json["mode"], "relative");
    EXPECT_EQ(json["verdict"], "B");
    EXPECT_EQ(json["p_a"], 0.25);
    EXPECT_EQ(json["probs"].dump(), R"({"A":0.25,"B":0.75})");
    EXPECT_EQ(json["confidence"], 0.75);
    EXPECT_EQ(json["parse"], "text");
    EXPECT_EQ(json["finish"], "eos");
    EXPECT_FALSE(json.contains("score"));
    EXPECT_FALSE(json.contains("expected_score"));
}

TEST(Record, RepeatsOfItsItemWhatStatisticsNeed) {
    Record record = absolute_record();
    Item item;
    item.response = "na\xc3\xafve";
    item.label = Label{{{"human", {4}}}};
    item.group = "math";
    item.generator = "model-x";
    record.about = about(item);
    auto json = to_json(record);
    EXPECT_EQ(json["label"].dump(), R"({"human":4})");
    EXPECT_EQ(json["group"], "math");
    EXPECT_EQ(json["generator"], "model-x");
    EXPECT_EQ(json["characters"], 5);

    item.mode = Mode::relative;
    item.response_b = "no";
    item.label = Label{{}, 'B'};
    item.generator_b = "model-y";
    record.about = about(item);
    json = to_json(record);
    EXPECT_EQ(json["label"], "B");
    EXPECT_EQ(json["generator_A"], "model-x");
    EXPECT_EQ(json["generator_B"], "model-y");
    EXPECT_EQ(json["characters"].dump(), "[5,2]");
    EXPECT_FALSE(json.contains("generator"));
}

Grade pair_grade(char verdict, double p_a, Order order = Order::ab) {
    return {.verdict = {verdict},
            .distribution = {Mode::relative, {p_a, 1 - p_a}},
            .feedback = std::string("for ") + verdict,
            .tokens = {100, 40, 7},
            .milliseconds = {2, 3},
            .order = order};
}

Record record_of(Mode mode, std::vector<Grade> parts) {
    return {.id = {"p", false}, .mode = mode, .result = combined(parts), .parts = parts};
}

Grade score_grade(char verdict, std::vector<double> probabilities) {
    return {.verdict = {verdict},
            .distribution = {Mode::absolute, std::move(probabilities)},
            .feedback = std::string("text of ") + verdict};
}

TEST(Grades, CombineByMajority) {
    const std::vector<Grade> grades{score_grade('2', {0, 0.9, 0, 0.1, 0}),
                                    score_grade('4', {0, 0.7, 0, 0.3, 0}),
                                    score_grade('4', {0, 0.8, 0, 0.2, 0})};
    const Grade whole = combined(grades);
    EXPECT_EQ(whole.verdict, Verdict{'4'});  // though 2 is likelier
    EXPECT_EQ(whole.feedback, "text of 4");
    EXPECT_NEAR(whole.distribution.of({'2'}), 0.8, rounding);
    EXPECT_NEAR(whole.distribution.of({'4'}), 0.2, rounding);
    EXPECT_NEAR(whole.distribution.expected_score(), 2.4, rounding);
}

TEST(Grades, TiesGoToTheLikelierThenToTheFirst) {
    EXPECT_EQ(combined(std::vector{pair_grade('A', 0.6), pair_grade('B', 0.3)}).verdict,
              Verdict{'B'});
    EXPECT_EQ(combined(std::vector{pair_grade('B', 0.3), pair_grade('A', 0.8)}).verdict,
              Verdict{'A'});
    EXPECT_EQ(combined(std::vector{pair_grade('B', 0.25), pair_grade('A', 0.75)}).verdict,
              Verdict{'A'});
    EXPECT_THROW(combined({}), std::runtime_error);
}

TEST(Grades, OneAloneStaysAsItIs) {
    const Grade grade = std::get<Grade>(absolute_record().result);
    Record record = absolute_record();
    record.result = combined({&grade, 1});
    EXPECT_EQ(to_json_line(record), to_json_line(absolute_record()));
}

TEST(Record, BothOrders) {
    const auto json = to_json(
        record_of(Mode::relative, {pair_grade('A', 0.75), pair_grade('B', 0.125, Order::ba)}));
    EXPECT_EQ(json["verdict"], "B");
    EXPECT_EQ(json["p_a"], 0.4375);
    EXPECT_EQ(json["confidence"], 0.5625);
    EXPECT_EQ(json["feedback"], "for B");
    EXPECT_EQ(json["feedback_order"], "ba");
    EXPECT_EQ(json["tokens"].dump(), R"({"prompt":200,"cached":80,"generated":14})");
    EXPECT_EQ(json["ms"].dump(), R"({"prefill":4.0,"decode":6.0})");
    EXPECT_EQ(json["consistent"], false);
    const auto& ab = json["orders"]["ab"];
    EXPECT_EQ(ab["verdict"], "A");
    EXPECT_EQ(ab["p_a"], 0.75);
    EXPECT_EQ(ab["feedback"], "for A");
    EXPECT_EQ(ab["parse"], "text");
    EXPECT_EQ(ab["finish"], "eos");
    EXPECT_EQ(ab["tokens"].dump(), R"({"prompt":100,"cached":40,"generated":7})");
    EXPECT_EQ(json["orders"]["ba"]["verdict"], "B");
    EXPECT_EQ(json["orders"]["ba"]["p_a"], 0.125);
    EXPECT_FALSE(json.contains("samples"));
    EXPECT_FALSE(ab.contains("samples"));
}

TEST(Record, Samples) {
    const auto json = to_json(record_of(Mode::absolute, {score_grade('5', {0, 0, 0, 0.25, 0.75}),
                                                         score_grade('4', {0, 0, 0, 0.75, 0.25}),
                                                         score_grade('5', {0, 0, 0, 0.5, 0.5})}));
    EXPECT_EQ(json["score"], 5);
    EXPECT_EQ(json["expected_score"], 4.5);
    EXPECT_EQ(json["feedback"], "text of 5");
    ASSERT_EQ(json["samples"].size(), 3u);
    EXPECT_EQ(json["samples"][1]["score"], 4);
    EXPECT_EQ(json["samples"][1]["probs"]["4"], 0.75);
    EXPECT_EQ(json["samples"][1]["expected_score"], 4.25);
    EXPECT_EQ(json["samples"][1]["feedback"], "text of 4");
    EXPECT_FALSE(json.contains("orders"));
    EXPECT_FALSE(json.contains("consistent"));
}

TEST(Record, SamplesOfBothOrders) {
    const Record record =
        record_of(Mode::relative, {pair_grade('A', 0.9), pair_grade('A', 0.7), pair_grade('B', 0.1),
                                   pair_grade('A', 0.8, Order::ba), pair_grade('B', 0.2, Order::ba),
                                   pair_grade('A', 0.6, Order::ba)});
    EXPECT_EQ(record.consistent(), true);
    const auto json = to_json(record);
    EXPECT_EQ(json["verdict"], "A");
    EXPECT_EQ(json["p_a"], 0.55);
    EXPECT_EQ(json["consistent"], true);
    EXPECT_FALSE(json.contains("samples"));
    EXPECT_EQ(json["orders"]["ba"]["verdict"], "A");
    EXPECT_NEAR(json["orders"]["ba"]["p_a"].get<double>(), 1.6 / 3, 1e-6);
    ASSERT_EQ(json["orders"]["ba"]["samples"].size(), 3u);
    EXPECT_EQ(json["orders"]["ba"]["samples"][1]["verdict"], "B");
}

TEST(Record, ConsistencyIsOfPairsInBothOrders) {
    const auto of = [](std::vector<Grade> parts) {
        return record_of(Mode::relative, std::move(parts)).consistent();
    };
    EXPECT_EQ(of({pair_grade('A', 0.6), pair_grade('A', 0.9, Order::ba)}), true);
    EXPECT_EQ(of({pair_grade('A', 0.6), pair_grade('B', 0.9, Order::ba)}), false);
    EXPECT_EQ(of({pair_grade('A', 0.6), pair_grade('B', 0.9)}), std::nullopt);
    EXPECT_EQ(absolute_record().consistent(), std::nullopt);
}

TEST(Record, HoldsTheHashOfItsItem) {
    Record record = absolute_record();
    record.item_hash = "0123456789abcdef";
    EXPECT_TRUE(to_json_line(record).starts_with(
        R"({"id":"x1","item_hash":"0123456789abcdef","mode":"absolute",)"));
}

TEST(Record, NamesWhyATextEnded) {
    Record record = absolute_record();
    std::get<Grade>(record.result).finish = Finish::verdict;
    EXPECT_EQ(to_json(record)["finish"], "verdict");
}

TEST(Record, SaysWhatACalibrationMakesOfIt) {
    Calibration calibration;
    calibration.absolute = ModeCalibration{.temperature = 2};
    Record record = absolute_record();
    EXPECT_FALSE(to_json(record).contains("calibrated"));
    record.calibration = std::make_shared<const Calibration>(calibration);
    const auto json = to_json(record);
    EXPECT_EQ(json["score"], 4);
    // Roots of the probabilities: 0, 0.141, 0.5, 0.787 and 0.332, over their sum.
    EXPECT_NEAR(json["calibrated"]["probs"]["4"], 0.447256, 1e-5);
    EXPECT_NEAR(json["calibrated"]["score"], 3.744, 1e-3);
    calibration.absolute.reset();
    record.calibration = std::make_shared<const Calibration>(calibration);
    EXPECT_FALSE(to_json(record).contains("calibrated"));
}

TEST(Record, TellsItsScaleByCalibratedProbabilitiesWhereThereAreSome) {
    Record record = absolute_record();
    record.scale = scale_named("pass-fail");
    EXPECT_NEAR(to_json(record)["scale"]["value"], 0.73, 1e-6);
    EXPECT_FALSE(to_json(record)["scale"].contains("calibrated"));
    Calibration calibration;
    calibration.absolute = ModeCalibration{.temperature = 2};
    record.calibration = std::make_shared<const Calibration>(calibration);
    // Roots of the probabilities: 0, 0.141, 0.5, 0.787 and 0.332, over their sum.
    EXPECT_NEAR(to_json(record)["scale"]["value"], 0.6357, 1e-4);
    EXPECT_EQ(to_json(record)["scale"]["calibrated"], true);
    calibration.method = CalibrationMethod::isotonic;  // gives a score alone
    calibration.absolute->curve = {.x = {1, 5}, .y = {1, 5}};
    record.calibration = std::make_shared<const Calibration>(calibration);
    EXPECT_NEAR(to_json(record)["scale"]["value"], 0.73, 1e-6);
    EXPECT_FALSE(to_json(record)["scale"].contains("calibrated"));
}

TEST(Record, SmallProbabilitiesKeepTheirSize) {
    Record record = absolute_record();
    std::get<Grade>(record.result).distribution = {Mode::relative,
                                                   {1 - 1.23456789e-9, 1.23456789e-9}};
    std::get<Grade>(record.result).verdict = {'A'};
    EXPECT_EQ(to_json(record)["probs"].dump(), R"({"A":1.0,"B":1.23457e-09})");
}

// The text of a judge may state another verdict than its likeliest token.
TEST(Record, ConfidenceIsOfTheVerdictGiven) {
    Record record = absolute_record();
    std::get<Grade>(record.result).verdict = {'5'};
    EXPECT_EQ(to_json(record)["score"], 5);
    EXPECT_EQ(to_json(record)["confidence"], 0.11);
}

TEST(Record, UnscoredIsNullNeverZero) {
    const Record record = unscored(BadItem({"3", true}, "line 3: response is missing"));
    EXPECT_FALSE(record.scored());
    EXPECT_EQ(
        to_json_line(record),
        R"({"id":3,"score":null,"reason":"invalid_item","error":"line 3: response is missing","warnings":[]})");
    Record pair{
        .id = {"a", false}, .mode = Mode::relative, .result = Unscored{"context_exceeded", "e"}};
    EXPECT_TRUE(to_json(pair)["score"].is_null());
    EXPECT_TRUE(to_json(pair)["verdict"].is_null());
}

TEST(Record, IsOneLineOfUtf8WhateverTheFeedback) {
    Record record = absolute_record();
    std::get<Grade>(record.result).feedback = "cut \xe2\x82 \xff\n\"quoted\"\u2028";
    const std::string line = to_json_line(record);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(nlohmann::json::parse(line)["feedback"], "cut \ufffd \ufffd\n\"quoted\"\u2028");
}

}  // namespace
}  // namespace assay
