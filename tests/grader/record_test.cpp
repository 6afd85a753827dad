#include "grader/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

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
