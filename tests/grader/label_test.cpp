#include "grader/label.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace assay {
namespace {

using Json = nlohmann::json;

Label parsed(const std::string& text, Mode mode = Mode::absolute) {
    return parse_label(Json::parse(text), mode, "label");
}

TEST(Label, ReadsNumbersListsAndSources) {
    EXPECT_EQ(parsed("4"), (Label{{{"label", {4}}}}));
    EXPECT_EQ(parsed("[4, 4.5]"), (Label{{{"label", {4, 4.5}}}}));
    EXPECT_EQ(parsed(R"({"gpt4": [4, 5, 4], "human": 3})"),
              (Label{{{"gpt4", {4, 5, 4}}, {"human", {3}}}}));
}

TEST(Label, ReadsPreferences) {
    EXPECT_EQ(parsed("\"A\"", Mode::relative).preferred, 'A');
    EXPECT_EQ(parsed("\"B\"", Mode::relative).preferred, 'B');
    EXPECT_EQ(parsed("\"tie\"", Mode::relative).preferred, '=');
}

TEST(Label, MeansAreOfWhoGaveScores) {
    EXPECT_EQ(parsed("[4, 3.5]").mean(), 3.75);
    EXPECT_EQ(parsed(R"({"gpt4": [4, 5, 3], "human": 2})").mean(), 3);  // of 4 and 2
    EXPECT_EQ(parsed("\"B\"", Mode::relative).mean(), std::nullopt);
}

TEST(Label, WritesWhatItReads) {
    for (const char* text : {"4", "[4,4.5]", R"({"gpt4":[4,5,4],"human":3})", R"({"human":2.25})"})
        EXPECT_EQ(to_json(parsed(text)).dump(), text);
    for (const char* text : {"\"A\"", "\"B\"", "\"tie\""})
        EXPECT_EQ(to_json(parsed(text, Mode::relative)).dump(), text);
}

TEST(Label, ErrorsNameWhatIsWrong) {
    const auto error_of = [](const std::string& text, Mode mode) -> std::string {
        try {
            parsed(text, mode);
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "no error";
    };
    EXPECT_EQ(error_of("\"A\"", Mode::absolute), "label: expected a number, found a string");
    EXPECT_EQ(error_of("[]", Mode::absolute), "label: an empty list, a number expected");
    EXPECT_EQ(error_of("{}", Mode::absolute), "label: an empty object");
    EXPECT_EQ(error_of(R"({"human": [1, true]})", Mode::absolute),
              "label.human: expected a number, found true");
    EXPECT_EQ(error_of("3", Mode::relative),
              R"(label: expected "A", "B" or "tie", found the number 3)");
    EXPECT_EQ(error_of("\"C\"", Mode::relative),
              R"(label: expected "A", "B" or "tie", found another string)");
}

TEST(Label, WritesNumbersOfAnySize) {
    const auto text = [](double value) {
        return to_json(Label{.scores = {{"label", {value}}}}).dump();
    };
    EXPECT_EQ(text(4), "4");
    EXPECT_EQ(text(2.5), "2.5");
    EXPECT_EQ(text(1e300), "1e+300");
    EXPECT_EQ(text(-1e19), "-1e+19");
}

}  // namespace
}  // namespace assay
