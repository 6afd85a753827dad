#include "grader/ranking/contest.h"

#include <gtest/gtest.h>

#include <sstream>

namespace assay {
namespace {

Contests read(const std::string& lines, const std::string& name = "items") {
    std::istringstream stream(lines);
    ItemDefaults defaults;
    defaults.rubric = *builtin_rubric("helpfulness");
    return read_contests(stream, name, defaults);
}

TEST(Contest, HasAListOfResponses) {
    const auto [contests, bad] =
        read(R"({"id": "q", "instruction": "Why?", "reference_answer": "So.", "label": 3, )"
             R"("responses": ["First.", {"generator": "gpt", "response": "Second."}, )"
             R"({"name": "human", "response": "Third."}]})");
    ASSERT_TRUE(bad.empty()) << bad[0].what();
    ASSERT_EQ(contests.size(), 1u);
    const Contest& contest = contests[0];
    EXPECT_EQ(contest.question.instruction, "Why?");
    EXPECT_EQ(contest.question.reference_answer, "So.");
    ASSERT_EQ(contest.contestants.size(), 3u);
    EXPECT_EQ(contest.contestants[0].response, "First.");
    EXPECT_EQ(contest.contestants[0].generator, "");
    EXPECT_EQ(contest.contestants[1].generator, "gpt");
    EXPECT_EQ(contest.contestants[2].generator, "human");
}

TEST(Contest, IsReadFromListsAndTables) {
    const std::string item =
        R"({"instruction": "Why?", "responses": [{"generator": "g", "response": "x"}, )"
        R"({"generator": "h", "response": "y"}]})";
    for (const std::string& text : {item, "[" + item + "]", "{\"items\": 1}\n" + item}) {
        const auto [contests, bad] = read(text);
        ASSERT_EQ(contests.size(), 1u) << text;
        EXPECT_EQ(contests[0].contestants.size(), 2u);
        EXPECT_EQ(bad.size(), text.starts_with("{\"items") ? 1u : 0u);
    }
    const auto [contests, bad] = read(
        "instruction,response,generator\n\"Why, then?\",x,g\n\"Why, then?\",y,h\n", "items.csv");
    ASSERT_EQ(contests.size(), 1u);
    EXPECT_EQ(contests[0].question.instruction, "Why, then?");
    EXPECT_EQ(contests[0].contestants[1].generator, "h");
    EXPECT_TRUE(bad.empty());
}

TEST(Contest, IsMadeOfItemsThatAskTheSame) {
    const auto [contests, bad] =
        read(R"({"id": 1, "instruction": "a", "response": "x", "generator": "g"}
{"id": 2, "instruction": "b", "response": "y", "generator": "g"}
{"id": 3, "instruction": "a", "response": "z", "generator": "h"}
{"id": 4, "instruction": "a", "response": "z", "generator": "h", "reference_answer": "r"}
{"id": 5, "instruction": "b", "response": "w"}
)");
    ASSERT_EQ(contests.size(), 2u);
    EXPECT_EQ(contests[0].question.id, (ItemId{"1", true}));
    EXPECT_EQ(contests[0].contestants[1].generator, "h");
    EXPECT_EQ(contests[1].contestants[1].response, "w");
    ASSERT_EQ(bad.size(), 1u);
    EXPECT_STREQ(bad[0].what(), "line 4: the only response to its instruction");
}

TEST(Contest, SaysWhatIsWrongAndGoesOn) {
    const auto [contests, bad] = read(R"({"id": "a", "instruction": "?", "responses": ["x"]}
{"id": "b", "instruction": "?", "responses": "x"}
{"id": "c", "instruction": "?", "responses": ["x", 3]}
{"id": "d", "instruction": "?", "responses": ["x", {"name": "n"}]}
{"id": "e", "responses": ["x", "y"]}
{"id": "f", "instruction": "?"}
{"id": "g"
{"id": "h", "instruction": "?", "responses": ["x", "y"]}
{"id": "h", "instruction": "!", "response": "x"}
{"id": "i", "instruction": "!", "response": "y"}
{"id": "j", "instruction": "!", "response": "z"}
)");
    std::vector<std::string> what;
    for (const BadItem& item : bad) what.push_back(item.id.text + " " + item.what());
    const std::vector<std::string> expected{
        "a line 1: responses: 1 found, 2 to 1000 expected",
        "b line 2: responses: expected a list, found a string",
        "c line 3: responses: 2: expected a string or an object, found the number 3",
        "d line 4: responses: 2: response",
        "e line 5: instruction",
        "f line 6: response",
        "7 line 7: incomplete JSON",
        "h line 9: id h is there before"};
    ASSERT_EQ(what.size(), expected.size());
    for (std::size_t i = 0; i < what.size(); ++i)
        EXPECT_TRUE(what[i].starts_with(expected[i])) << what[i];
    ASSERT_EQ(contests.size(), 2u);
    EXPECT_EQ(contests[1].question.id.text, "i");
    EXPECT_EQ(contests[1].contestants.size(), 2u);
}

TEST(Contest, ComparesInEitherOrder) {
    const auto contests =
        read(
            R"({"id": 7, "instruction": "?", "responses": [{"name": "g", "response": "x"}, "y", "z"]})")
            .contests;
    const Item given = comparison(contests.at(0), {0, 2}, false);
    EXPECT_EQ(given.id, (ItemId{"7/1-3", false}));
    EXPECT_EQ(given.mode, Mode::relative);
    EXPECT_EQ(given.response, "x");
    EXPECT_EQ(given.response_b, "z");
    EXPECT_EQ(given.generator, "g");
    const Item exchanged = comparison(contests.at(0), {0, 2}, true);
    EXPECT_EQ(exchanged.id.text, "7/3-1");
    EXPECT_EQ(exchanged.response, "z");
    EXPECT_EQ(exchanged.generator_b, "g");
}

}  // namespace
}  // namespace assay
