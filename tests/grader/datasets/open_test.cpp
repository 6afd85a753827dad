#include "grader/datasets/open.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "runtime/error.h"
#include "tests/grader/datasets/dataset_items.h"

namespace assay {
namespace {

std::string error_of(const std::string& text, const DatasetOptions& options = {}) {
    try {
        read_items(text, options);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "no error";
}

TEST(Datasets, MostRecordsDecide) {
    const std::string deepeval = R"({"input": "i", "actual_output": "o"})";
    EXPECT_EQ(read_items("{broken\n{}\n" + deepeval + "\n" + deepeval +
                         "\n{\"instruction\": \"i\", \"response\": \"r\"}")
                  .dataset,
              "deepeval");
    EXPECT_EQ(read_items("{broken\n{}").dataset, "native");
}

TEST(Datasets, AFlagDecidesOverContent) {
    DatasetOptions options;
    options.name = "alpaca-eval";
    EXPECT_EQ(read_items(R"({"instruction": "i", "response": "r", "output": "o"})", options)
                  .items.at(0)
                  .response,
              "o");
    options.name = "nosuch";
    EXPECT_TRUE(error_of("{}", options).starts_with("dataset \"nosuch\": there are "));
}

TEST(Datasets, WhatIsUnknownIsNamed) {
    const std::string error = error_of(R"({"text": "t", "stars": 3})");
    EXPECT_TRUE(error.starts_with(
        "x: its records have stars, text, which no known dataset has (preference-collection, "))
        << error;
}

TEST(Datasets, FieldsCanBeMapped) {
    DatasetOptions options;
    for (const char* text :
         {"instruction=q.text", "response=choices.0.say", "label.human=stars", "group=kind",
          "reference_answer=best", "rubric.criteria=x.y", "id=number"})
        options.map.push_back(parse_mapping(text));
    const std::string levels =
        R"("score1_description": "d1", "score2_description": "d2", "score3_description": "d3",)"
        R"( "score4_description": "d4", "score5_description": "d5")";
    const ReadItems read = read_items(
        R"({"q": {"text": "i"}, "choices": [{"say": 42}], "stars": 4, "kind": 7, "x.y": "Right?",)"
        R"( "number": 12, "rubric": {)" +
            levels + "}}\n" + R"({"q": {"text": "j"}, "choices": []})",
        options);
    ASSERT_EQ(read.items.size(), 1u);
    const Item& item = read.items[0];
    EXPECT_EQ(item.instruction, "i");
    EXPECT_EQ(item.response, "42");
    EXPECT_EQ(to_json(*item.label).dump(), R"({"human":4})");
    EXPECT_EQ(item.group, "7");
    EXPECT_EQ(item.id, (ItemId{"12", true}));
    EXPECT_TRUE(item.rubric.text.starts_with("[Right?]\nScore 1: d1"));
    EXPECT_EQ(read.problems[0], "line 2: choices.0.say is missing, which is mapped to response");
}

TEST(Datasets, AFieldOfAnotherTypeIsNoReasonToStop) {
    const std::string good = R"({"user_input": "i", "response": "r"})";
    for (const std::string bad :
         {R"({"user_input": [{"type": 5, "content": "x"}], "response": "r"})",
          R"({"messages": [{"role": "user", "content": [{"type": null}]}], "response": "r"})"}) {
        const ReadItems read = read_items(bad + "\n" + good + "\n" + good);
        EXPECT_EQ(read.items.size(), 2u) << bad;
        EXPECT_TRUE(read.problems.at(0).starts_with("line 1: ")) << read.problems[0];
    }
    const ReadItems promptfoo = read_items(
        R"({"vars": {"question": "q", "answer": "a"}, "assert": [{"type": 3, "value": "v"}]})");
    EXPECT_EQ(promptfoo.items.size(), 1u);
    DatasetOptions options;
    options.map = {parse_mapping("label.human=stars")};
    const ReadItems mapped =
        read_items(R"({"instruction": "i", "response": "r", "label": 3, "stars": 4})", options);
    ASSERT_EQ(mapped.items.size(), 1u);
    EXPECT_EQ(to_json(*mapped.items[0].label).dump(), R"({"human":4})");
}

TEST(Datasets, CellsOfTablesAreNumbersInLabels) {
    DatasetOptions options;
    options.map = {parse_mapping("instruction=q"), parse_mapping("response=a"),
                   parse_mapping("label.human=stars")};
    const ReadItems read = read_items("q,a,stars\ni,1,4\nj,2,\nk,3,good\n", options);
    ASSERT_EQ(read.items.size(), 2u);
    EXPECT_EQ(to_json(*read.items[0].label).dump(), R"({"human":4})");
    EXPECT_EQ(read.items[0].response, "1");
    EXPECT_FALSE(read.items[1].label);
    EXPECT_EQ(read.problems, std::vector<std::string>{"line 4: label.human: expected a number, "
                                                      "found a string"});
}

TEST(Datasets, MappedFieldsTakeThePlaceOfTheirLike) {
    const auto mapped = [](const std::string& record, std::vector<std::string> maps) {
        DatasetOptions options;
        for (const std::string& map : maps) options.map.push_back(parse_mapping(map));
        const ReadItems read = read_items(record, options);
        return read.items.empty() ? Item{} : read.items[0];
    };
    const Item pair = mapped(R"({"instruction": "i", "response": "r", "other": "s"})",
                             {"response_A=response", "response_B=other"});
    EXPECT_EQ(pair.mode, Mode::relative);
    EXPECT_EQ(pair.response + pair.response_b, "rs");
    const Item single = mapped(R"({"instruction": "i", "response_A": "r", "response_B": "s"})",
                               {"response=response_B"});
    EXPECT_EQ(single.mode, Mode::absolute);
    EXPECT_EQ(single.response, "s");
    const std::string dialogue =
        R"({"messages": [{"role": "user", "content": "u"}], "response": "r", "instruction": "i"})";
    EXPECT_EQ(mapped(dialogue, {"instruction=messages.0.content"}).instruction, "u");
    EXPECT_EQ(mapped(dialogue, {"messages=messages"}).instruction, "u");
    EXPECT_EQ(mapped(R"({"instruction": "i", "response": "r", "group": 3})", {}).group, "3");
}

TEST(Datasets, DeeplyNestedFieldsAreRefused) {
    const std::string deep(200000, '[');
    const ReadItems read = read_items(R"({"instruction": "i", "response": "r", "x": )" + deep +
                                      std::string(deep.size(), ']') + "}\n" +
                                      R"({"instruction": "i", "response": "["})");
    EXPECT_EQ(read.items.size(), 1u);
    EXPECT_EQ(read.problems, std::vector<std::string>{"line 1: nested deeper than 256 levels"});
}

TEST(Datasets, MappingsAreChecked) {
    const auto problem = [](const std::string& text) -> std::string {
        try {
            parse_mapping(text);
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "none";
    };
    EXPECT_EQ(problem("instruction"), "\"instruction\" given, FIELD=PATH expected");
    EXPECT_EQ(problem("=x"), "\"=x\" given, FIELD=PATH expected");
    EXPECT_TRUE(problem("instr=x").starts_with("\"instr\" is no field of an item: there are "));
    EXPECT_TRUE(problem("group.a=x").starts_with("\"group.a\" is no field of an item"));
    EXPECT_EQ(problem("rubric.criteria=x"), "none");
}

// The order of a pair depends on the seed and its record alone, and both orders are as frequent.
TEST(Datasets, TheCoinIsFairAndSeeded) {
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += "{\"prompt\": \"i\", \"chosen\": \"g\", \"rejected\": \"b\"}\n";
    const auto order = [&](std::uint64_t seed) {
        DatasetOptions options;
        options.seed = seed;
        std::string letters;
        for (const Item& item : read_items(text, options).items) letters += *item.label->preferred;
        return letters;
    };
    EXPECT_EQ(order(1), order(1));
    EXPECT_NE(order(1), order(2));
    const auto first = std::ranges::count(order(1), 'A');
    EXPECT_NEAR(static_cast<double>(first), 500, 64);  // four standard deviations
}

TEST(Datasets, ADefaultThatServesNoItemIsNoFaultOfTheRecords) {
    DatasetOptions options;
    options.defaults.rubric = Rubric{"[Right?]", true};
    options.defaults.rubric_source = "--rubric c.yaml";
    EXPECT_EQ(
        error_of(R"({"instruction": "i", "response": "r"})", options),
        "--rubric c.yaml: an absolute grade needs 5 levels (score1_description ...), found 0");
}

}  // namespace
}  // namespace assay
