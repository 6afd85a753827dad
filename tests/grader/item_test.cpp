#include "grader/item.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace assay {
namespace {

std::string error_of(std::string_view line, const ItemDefaults& defaults = {}) {
    try {
        parse_item(line, 7, defaults);
    } catch (const BadItem& bad) {
        EXPECT_EQ(std::string(bad.what()).find('\n'), std::string::npos) << bad.what();
        return bad.what();
    }
    return "no error";
}

TEST(Item, Absolute) {
    const Item item = parse_item(
        R"({"id": "x1", "instruction": "What is 2+2?", "response": "4", "reference_answer": "four",
            "rubric": "honesty", "gpt4_score": 3})",
        7);
    EXPECT_EQ(item.id, (ItemId{"x1", false}));
    EXPECT_EQ(item.mode, Mode::absolute);
    EXPECT_EQ(item.instruction, "What is 2+2?");
    EXPECT_EQ(item.response, "4");
    EXPECT_EQ(item.reference_answer, "four");
    EXPECT_EQ(item.rubric.text, builtin_rubric("honesty")->text);
}

TEST(Item, Relative) {
    const Item item = parse_item(
        R"({"id": 12, "instruction": "i", "response_A": "a\n", "response_B": "", "reference_answer": "",
            "rubric": {"criteria": "Is it right?"}})",
        7);
    EXPECT_EQ(item.id, (ItemId{"12", true}));
    EXPECT_EQ(item.mode, Mode::relative);
    EXPECT_EQ(item.response, "a\n");
    EXPECT_EQ(item.response_b, "");
    EXPECT_FALSE(item.reference_answer);
    EXPECT_EQ(item.rubric.text, "[Is it right?]");
}

TEST(Item, DefaultsFillWhatIsAbsentOrNull) {
    const ItemDefaults defaults{.mode = std::nullopt, .rubric = *builtin_rubric("reasoning")};
    const Item item = parse_item(
        R"({"id": null, "instruction": "i", "response": "r", "reference_answer": null, "rubric": null})",
        7, defaults);
    EXPECT_EQ(item.id, (ItemId{"7", true}));
    EXPECT_FALSE(item.reference_answer);
    EXPECT_EQ(item.rubric.text, builtin_rubric("reasoning")->text);
}

TEST(Item, ForcedModeChoosesAmongResponses) {
    const std::string line =
        R"({"instruction": "i", "response": "r", "response_A": "a", "response_B": "b", "rubric": "honesty"})";
    EXPECT_EQ(parse_item(line, 7, {.mode = Mode::absolute, .rubric = {}}).response, "r");
    EXPECT_EQ(parse_item(line, 7, {.mode = Mode::relative, .rubric = {}}).response, "a");
    EXPECT_EQ(error_of(line), "line 7: has response and response_A: one response or two, not both");
    EXPECT_EQ(error_of(R"({"instruction": "i", "response_A": "a"})",
                       {.mode = Mode::absolute, .rubric = *builtin_rubric("honesty")}),
              "line 7: response is missing");
}

TEST(Item, RubricObject) {
    const Item item = parse_item(
        R"({"instruction": "i", "response": "r", "rubric": {"criteria": "c", "score1_description": "d1",
            "score2_description": "d2", "score3_description": "d3", "score4_description": "d4",
            "score5_description": "d5"}})",
        7);
    EXPECT_EQ(item.rubric.text,
              "[c]\nScore 1: d1\nScore 2: d2\nScore 3: d3\nScore 4: d4\nScore 5: d5");
}

TEST(Item, WhatNoJudgeSees) {
    const Item item = parse_item(
        R"({"instruction": "i", "response": "r", "rubric": "honesty", "label": {"human": [4, 5]},
            "group": "math", "generator": "model-x"})",
        7);
    EXPECT_EQ(item.label, (Label{{{"human", {4, 5}}}}));
    EXPECT_EQ(item.group, "math");
    EXPECT_EQ(item.generator, "model-x");
    const Item pair = parse_item(
        R"({"instruction": "i", "response_A": "a", "response_B": "b", "rubric": "honesty",
            "label": "tie", "generator_A": "x", "generator_B": "y"})",
        7);
    EXPECT_EQ(pair.label->preferred, '=');
    EXPECT_EQ(pair.generator + pair.generator_b, "xy");
}

TEST(Item, ContextAndMessages) {
    const Item item = parse_item(
        R"({"messages": [{"role": "user", "content": "Hi"}], "response": "r", "rubric": "honesty",
            "context": ["one", "two"]})",
        7);
    EXPECT_EQ(item.instruction, "Hi");
    EXPECT_EQ(item.context, "one\n\ntwo");
}

// What is written is read as the same item.
TEST(Item, JsonGoesBothWays) {
    for (const char* line :
         {R"({"id":"x","instruction":"i","response":"r","reference_answer":"a","rubric":"honesty",
              "context":"c","label":4,"group":"g","generator":"m"})",
          R"({"id":3,"instruction":"i","response_A":"a","response_B":"b","label":"B",
              "rubric":{"criteria":"Right?"},"generator_A":"m","generator_B":"n"})"}) {
        const Item item = parse_item(line, 1);
        const Item again = parse_item(to_json(item).dump(), 2);
        EXPECT_EQ(to_json(again), to_json(item));
        EXPECT_EQ(item_hash(again), item_hash(item));
        EXPECT_EQ(again.id, item.id);
        EXPECT_EQ(again.label, item.label);
        EXPECT_EQ(again.rubric.criteria_only, item.rubric.criteria_only);
    }
    EXPECT_EQ(to_json(parse_item(R"({"instruction": "i", "response_A": "", "response_B": "b",
                                     "rubric": {"criteria": "Right?"}, "label": "A"})",
                                 9))
                  .dump(),
              R"({"id":9,"instruction":"i","response_A":"","response_B":"b",)"
              R"("rubric":{"criteria":"Right?"},"label":"A"})");
}

TEST(Item, ErrorsNameLineFieldAndValues) {
    struct Case {
        std::string line;
        std::string error;
    };
    const std::vector<Case> cases{
        {"", "incomplete JSON at byte 1 of 0"},
        {R"({"instruction": "i")", "incomplete JSON at byte 20 of 19"},
        {"{x}", "invalid JSON at byte 2 of 3"},
        {"\"\xff\"", "invalid UTF-8 at byte 2 of 3"},
        {"[1]", "expected an object, found a list"},
        {"3", "expected an object, found the number 3"},
        {R"({"id": 1.5})", "id: expected a string or an integer, found the number 1.5"},
        {R"({"id": true})", "id: expected a string or an integer, found true"},
        {R"({"response": "r"})", "instruction is missing"},
        {R"({"instruction": "", "response": "r"})", "instruction is empty"},
        {R"({"instruction": 5, "response": "r"})",
         "instruction: expected a string, found the number 5"},
        {R"({"instruction": "i"})", "response is missing"},
        {R"({"instruction": "i", "response": ["r"]})", "response: expected a string, found a list"},
        {R"({"instruction": "i", "response_A": "a"})", "response_B is missing"},
        {R"({"instruction": "i", "response_B": "b"})", "response_A is missing"},
        {R"({"instruction": "i", "response": "r", "reference_answer": {}})",
         "reference_answer: expected a string, found an object"},
        {R"({"instruction": "i", "response": "r"})", "rubric is missing, and there is no default"},
        {R"({"instruction": "i", "response": "r", "rubric": 4})",
         "rubric: expected a string or an object, found the number 4"},
        {R"({"instruction": "i", "response": "r", "rubric": "helpfullness"})",
         "rubric \"helpfullness\": built in are " + builtin_rubric_list()},
        {R"({"instruction": "i", "response": "r", "rubric": ""})", "rubric is empty"},
        {R"({"instruction": "i", "messages": [], "response": "r"})",
         "has instruction and messages: one of them, not both"},
        {R"({"messages": [{"role": "user", "content": ""}], "response": "r"})",
         "instruction is empty"},
        {R"({"messages": "m", "response": "r"})",
         "messages: expected a list of messages, found a string"},
        {R"({"instruction": "i", "response": "r", "rubric": "honesty", "context": [1]})",
         "context: expected strings, found the number 1"},
        {R"({"instruction": "i", "response": "r", "rubric": "honesty", "label": "good"})",
         "label: expected a number, found a string"},
        {R"({"instruction": "i", "response": "r", "rubric": "honesty", "group": [1]})",
         "group: expected a string, found a list"},
        {R"({"instruction": "i", "response": "r", "rubric": {"criteria": "c"}})",
         "rubric: an absolute grade needs 5 levels (score1_description ...), found 0"},
        {R"({"instruction": "i", "response": "r", "rubric": {"criteria": "c", "score1_description": "d"}})",
         "rubric: score2_description is missing (a rubric has criteria and score1_description to "
         "score5_description)"},
        {R"({"instruction": "i", "response": "r", "rubric": {"criteria": 1}})",
         "rubric: criteria: expected a string, found the number 1"},
        {R"({"instruction": "i", "response": "r", "rubric": {"a\nb": "c"}})",
         "rubric: unknown key \"a b\" (a rubric has criteria and score1_description to "
         "score5_description)"},
    };
    for (const Case& c : cases) EXPECT_EQ(error_of(c.line), "line 7: " + c.error) << c.line;
}

TEST(Item, HostileLinesAreErrors) {
    EXPECT_NE(error_of(std::string(1 << 20, '[')), "no error");
    EXPECT_EQ(error_of(R"({"id": 1e999})"), "line 7: a number is too large");
    EXPECT_NE(error_of(R"({"instruction": "\ud800"})"), "no error");
    EXPECT_NE(error_of(R"({"id": 99999999999999999999, "instruction": "i"})"), "no error");
    EXPECT_LT(error_of("{\"" + std::string(1 << 20, 'x')).size(), 100u);
}

TEST(Item, ADefaultWithoutLevelsIsNoFaultOfTheLine) {
    const ItemDefaults defaults{
        .mode = {}, .rubric = Rubric{"[Is it right?]", true}, .rubric_source = "--rubric c.yaml"};
    try {
        parse_item(R"({"instruction": "i", "response": "r"})", 7, defaults);
        ADD_FAILURE() << "no error";
    } catch (const BadDefault& bad) {
        EXPECT_STREQ(bad.what(),
                     "--rubric c.yaml: an absolute grade needs 5 levels "
                     "(score1_description ...), found 0");
    }
    EXPECT_NO_THROW(
        parse_item(R"({"instruction": "i", "response": "r", "rubric": "honesty"})", 7, defaults));
    EXPECT_NO_THROW(
        parse_item(R"({"instruction": "i", "response_A": "a", "response_B": "b"})", 7, defaults));
}

TEST(Item, ABadItemKeepsItsId) {
    try {
        parse_item(R"({"id": "k9", "instruction": 1})", 7);
        FAIL();
    } catch (const BadItem& bad) {
        EXPECT_EQ(bad.id, (ItemId{"k9", false}));
    }
}

TEST(ItemHash, ChangesWithAllThatTheJudgeSees) {
    const auto parsed = [](const std::string& fields) {
        return parse_item("{\"instruction\": \"i\", " + fields + "}", 1);
    };
    const Item item = parsed(R"("response": "r", "rubric": "honesty")");
    const std::string hash = item_hash(item);
    EXPECT_EQ(hash, "465e29c23c740fdd") << "journals of earlier runs would not be found again";
    for (const char* other :
         {R"("response": "s", "rubric": "honesty")", R"("response": "r", "rubric": "helpfulness")",
          R"("response": "r", "rubric": "honesty", "reference_answer": "a")",
          R"("response": "r", "rubric": "honesty", "context": "c")",
          R"("response_A": "r", "response_B": "", "rubric": "honesty")",
          R"("response_A": "", "response_B": "r", "rubric": "honesty")"})
        EXPECT_NE(item_hash(parsed(other)), hash) << other;
    Item moved = item;
    moved.instruction = "ir";
    moved.response = "";
    EXPECT_NE(item_hash(moved), hash);

    // What the judge does not see makes no difference, nor where the rubric comes from.
    EXPECT_EQ(item_hash(parsed(R"("response": "r", "rubric": "honesty", "id": 3, "by": "x")")),
              hash);
    EXPECT_EQ(
        item_hash(parsed(R"("response": "r", "rubric": "honesty", "label": 3, "group": "g")")),
        hash);
    const ItemDefaults defaults{.mode = {}, .rubric = *builtin_rubric("honesty")};
    EXPECT_EQ(item_hash(parse_item(R"({"instruction": "i", "response": "r"})", 1, defaults)), hash);
}

TEST(ItemReader, GoesOnAfterABadLine) {
    std::istringstream lines(
        "\xef\xbb\xbf{\"instruction\": \"first\", \"response\": \"r\"}\r\n"
        "\n"
        "  \t\r\n"
        "{broken\n"
        "{\"instruction\": \"last\", \"response\": \"r\"}");
    ItemReader reader(lines, {.mode = std::nullopt, .rubric = *builtin_rubric("honesty")});
    const auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(std::get<Item>(*first).instruction, "first");
    const auto broken = reader.next();
    ASSERT_TRUE(broken);
    EXPECT_EQ(std::get<BadItem>(*broken).id, (ItemId{"4", true}));
    EXPECT_STREQ(std::get<BadItem>(*broken).what(), "line 4: invalid JSON at byte 2 of 7");
    const auto last = reader.next();
    ASSERT_TRUE(last);
    EXPECT_EQ(std::get<Item>(*last).id, (ItemId{"5", true}));
    EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace assay
