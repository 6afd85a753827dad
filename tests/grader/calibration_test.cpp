#include "grader/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "grader/calibrate.h"
#include "model/engine/random.h"
#include "runtime/error.h"

namespace assay {
namespace {

// A judge that is sure of every preference and right in three of four.
std::vector<Result> overconfident_pairs(int n, const std::string& more = "") {
    std::string text;
    for (int i = 0; i < n; ++i)
        text += R"({"id":)" + std::to_string(i) + R"(,"mode":"relative","verdict":"A",)" +
                R"("probs":{"A":0.99,"B":0.01},"label":")" + (i % 4 == 0 ? "B" : "A") + "\"" +
                R"(,"profile":"hf-card","judge":{"model":"m","quant":"f16"})" + more + "}\n";
    std::istringstream lines(text);
    return read_results(lines, "pairs");
}

// A judge whose expected score is the label's square root.
std::vector<Result> bent_scores(int n) {
    std::string text;
    for (int i = 0; i < n; ++i) {
        const double label =
            1 + 4.0 * (philox({static_cast<std::uint32_t>(i), 0, 0, 0}, {})[0] % 1000) / 1000;
        const double above = std::sqrt(label) - 1;
        text += R"({"id":)" + std::to_string(i) + R"(,"mode":"absolute","score":1,"probs":{"1":)" +
                std::to_string(1 - above / 2) + R"(,"2":0,"3":)" + std::to_string(above / 2) +
                R"(,"4":0,"5":0},"label":)" + std::to_string(label) + "}\n";
    }
    std::istringstream lines(text);
    return read_results(lines, "scores");
}

const CalibrationFigure& figure(const ModeCalibration& fit, std::string_view name) {
    for (const CalibrationFigure& each : fit.figures)
        if (each.name == name) return each;
    throw Error("no figure " + std::string(name));
}

TEST(Calibration, TemperatureMakesConfidenceTheShareThatIsRight) {
    const Calibration calibration = calibrate(overconfident_pairs(200), {});
    EXPECT_FALSE(calibration.absolute);
    ASSERT_TRUE(calibration.relative);
    EXPECT_EQ(calibration.relative->n, 200u);
    EXPECT_EQ(calibration.profile, "hf-card");
    const auto graded = calibration.apply(Mode::relative, std::vector<double>{0.99, 0.01});
    ASSERT_TRUE(graded);
    EXPECT_NEAR(graded->value, 0.75, 1e-9);
    EXPECT_NEAR(graded->probabilities[1], 0.25, 1e-9);
    const auto& ece = figure(*calibration.relative, "ece");
    EXPECT_NEAR(ece.before, 0.24, 1e-12);
    EXPECT_LT(ece.after, 0.05);
    EXPECT_LT(figure(*calibration.relative, "nll").after,
              figure(*calibration.relative, "nll").before);
    EXPECT_FALSE(calibration.apply(Mode::absolute, std::vector<double>(5, 0.2)));
}

TEST(Calibration, IsotonicBendsScoresToTheLabels) {
    const Calibration calibration =
        calibrate(bent_scores(400), {.method = CalibrationMethod::isotonic});
    ASSERT_TRUE(calibration.absolute);
    // An expected score of 2 is the root of 4.
    const auto graded = calibration.apply(Mode::absolute, std::vector<double>{0.5, 0, 0.5, 0, 0});
    EXPECT_NEAR(graded->value, 4, 0.05);
    EXPECT_TRUE(graded->probabilities.empty());
    const auto& mse = figure(*calibration.absolute, "mse");
    EXPECT_GT(mse.before, 1);
    EXPECT_LT(mse.after, 0.001);
}

TEST(Calibration, IsotonicPairsAreNeverCertain) {
    auto results = overconfident_pairs(20);
    for (Result& result : results) result.label = Label{.scores = {}, .preferred = 'A'};
    const Calibration calibration = calibrate(results, {.method = CalibrationMethod::isotonic});
    const auto graded = calibration.apply(Mode::relative, std::vector<double>{1, 0});
    EXPECT_EQ(graded->value, 1 - 0.5 / 20);
    EXPECT_EQ(graded->probabilities[1], 1 - graded->value);
}

TEST(Calibration, IsReadAsItIsWritten) {
    for (const auto method : {CalibrationMethod::temperature, CalibrationMethod::isotonic}) {
        const Calibration written = calibrate(overconfident_pairs(40), {.method = method});
        const Calibration read = parse_calibration(to_json(written).dump());
        EXPECT_EQ(to_json(read), to_json(written));
        const std::vector<double> p{0.7, 0.3};
        EXPECT_EQ(read.apply(Mode::relative, p)->value, written.apply(Mode::relative, p)->value);
    }
}

TEST(Calibration, FoldsDependOnTheSeedAlone) {
    const auto results = bent_scores(50);
    const CalibrationOptions one{.method = CalibrationMethod::isotonic},
        other{.method = CalibrationMethod::isotonic, .seed = 1};
    EXPECT_EQ(to_json(calibrate(results, one)), to_json(calibrate(results, one)));
    EXPECT_NE(figure(*calibrate(results, one).absolute, "mse").after,
              figure(*calibrate(results, other).absolute, "mse").after);
}

TEST(Calibration, RefusesAnotherScale) {
    std::istringstream lines(
        R"({"id":1,"score":4,"probs":{"1":0,"2":0,"3":0,"4":1,"5":0},"label":1,"scale":{"name":"binary"}})");
    try {
        calibrate(read_results(lines, "x"), {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(),
                     "line 1: is on the scale binary, scores of 1 to 5 are calibrated");
    }
}

TEST(Calibration, RefusesWhatItCannotFit) {
    EXPECT_THROW(calibrate(overconfident_pairs(9), {}), Error);
    EXPECT_THROW(calibrate(overconfident_pairs(30), {.label = "label.human"}), Error);
    auto mixed = overconfident_pairs(30);
    mixed[3].json["judge"]["quant"] = "q8_0";
    EXPECT_THROW(calibrate(mixed, {}), Error);
}

TEST(Calibration, RefusesFilesThatAreNone) {
    const auto json = to_json(calibrate(overconfident_pairs(30), {}));
    auto newer = json, hot = json, without = json, method = json;
    newer["calibration"] = 2;
    hot["relative"]["temperature"] = -1;
    without["relative"].erase("temperature");
    method["method"] = "magic";
    for (const auto& wrong : {newer, hot, without, method})
        EXPECT_THROW(parse_calibration(wrong.dump()), Error) << wrong;
    auto falling =
        to_json(calibrate(overconfident_pairs(30), {.method = CalibrationMethod::isotonic}));
    falling["relative"]["curve"] = {{"x", {1, 1}}, {"y", {1, 2}}};
    EXPECT_THROW(parse_calibration(falling.dump()), Error);
    EXPECT_THROW(parse_calibration("{}"), Error);
    EXPECT_THROW(parse_calibration("nonsense"), Error);
}

}  // namespace
}  // namespace assay
