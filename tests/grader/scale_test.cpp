#include "grader/scale.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace assay {
namespace {

// Judges that are sure of a score, that are torn, and one that is neither.
constexpr std::array<double, 5> sure_of_4{0, 0, 0, 1, 0}, torn{0.5, 0, 0, 0, 0.5},
    unsure{0.1, 0.15, 0.25, 0.3, 0.2};

std::string record_text(std::string_view name, int score, std::span<const double> probabilities,
                        int pass_at = default_pass_at) {
    return to_json(*scale_named(name, pass_at), score, probabilities).dump();
}

TEST(Scale, TheJudgesOwnIsNone) { EXPECT_FALSE(scale_named("1-5").has_value()); }

TEST(Scale, BinaryIsTheProbabilityOfPassing) {
    EXPECT_EQ(record_text("binary", 4, unsure),
              R"({"name":"binary","pass_at":4,"value":0.5,"verdict":1,)"
              R"("probs":{"0":0.5,"1":0.5},"trained":false})");
    EXPECT_EQ(record_text("binary", 4, unsure, 5),
              R"({"name":"binary","pass_at":5,"value":0.2,"verdict":0,)"
              R"("probs":{"0":0.8,"1":0.2},"trained":false})");
    EXPECT_EQ(record_text("pass-fail", 3, unsure, 3),
              R"({"name":"pass-fail","pass_at":3,"value":0.75,"verdict":"pass",)"
              R"("probs":{"fail":0.25,"pass":0.75},"trained":false})");
    EXPECT_EQ(record_text("pass-fail", 3, sure_of_4),
              R"({"name":"pass-fail","pass_at":4,"value":1.0,"verdict":"fail",)"
              R"("probs":{"fail":0.0,"pass":1.0},"trained":false})")
        << "the text's score decides, whatever is likely";
}

TEST(Scale, ThreeLevelsSumProbabilities) {
    EXPECT_EQ(record_text("1-3", 3, unsure),
              R"({"name":"1-3","value":2.25,"verdict":2,)"
              R"("probs":{"1":0.25,"2":0.25,"3":0.5},"trained":false})");
    EXPECT_EQ(scale_named("1-3")->expected(torn), 2);
}

TEST(Scale, TenIsLinear) {
    EXPECT_EQ(record_text("1-10", 4, unsure),
              R"({"name":"1-10","value":6.2875,"verdict":7.75,)"
              R"("quantiles":{"0.05":1,"0.5":5.5,"0.95":10},"trained":false})");
    const Scale ten = *scale_named("1-10");
    EXPECT_EQ(ten.expected(sure_of_4), 7.75);
    EXPECT_EQ(ten.quantile(sure_of_4, 0.05), 7.75);
    EXPECT_EQ(ten.quantile(sure_of_4, 0.95), 7.75);
    EXPECT_EQ(ten.quantile(torn, 0.5), 1);
    EXPECT_EQ(ten.quantile(torn, 0.51), 10);
}

TEST(Scale, IsToldToPeople) {
    EXPECT_EQ(text_of(*scale_named("1-10"), 4, unsure), "6.29 on the scale 1-10");
    EXPECT_EQ(text_of(*scale_named("pass-fail"), 4, unsure),
              "pass, with a probability of passing of 0.50");
    EXPECT_EQ(text_of(*scale_named("binary"), 3, unsure),
              "0, with a probability of passing of 0.50");
}

TEST(Scale, IsFoundByName) {
    for (const char* name : {"binary", "pass-fail", "1-3", "1-10"})
        EXPECT_EQ(scale_named(name)->name, name);
    EXPECT_EQ(scale_names().size(), 5u);
    try {
        scale_named("1-7");
        ADD_FAILURE();
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(),
                     "scale: \"1-7\" given, one of 1-5, binary, pass-fail, 1-3, 1-10 expected");
    }
}

}  // namespace
}  // namespace assay
