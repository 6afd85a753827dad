#include "grader/pair_lines.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/grader/datasets/dataset_items.h"

namespace assay {
namespace {

Result record(const std::string& json) {
    std::istringstream stream(line(json));
    return read_results(stream, "x").front();
}

ScoredResponse response(const std::string& id, double score) {
    Item item;
    item.id = {id};
    item.instruction = "What is 2+2?";
    item.response = "It is " + id;
    item.reference_answer = "4";
    item.rubric =
        make_rubric(std::vector<RubricField>{{"criteria", "Is it right?", "x"}}, "rubric");
    item.generator = "model " + id;
    return {std::move(item), score, "feedback on " + id};
}

struct Pair {
    std::vector<ScoredResponse> responses{response("4", 5), response("5", 1.5)};

    PairLine line(char preferred, std::optional<Comparison> comparison = {}) const {
        return {responses[0], responses[1], pair_item(responses, {0, 1, preferred}),
                std::move(comparison)};
    }
};

TEST(PairLines, AreItemsAgain) {
    const Pair pair;
    const PairLine line = pair.line('A', Comparison{"A is right.", 'A'});
    const auto json = native_line(line);
    EXPECT_EQ(json["scores"].dump(), "[5.0,1.5]");
    EXPECT_EQ(json["judge"].dump(), R"({"verdict":"A","feedback":"A is right."})");
    EXPECT_FALSE(native_line(pair.line('A')).contains("judge"));
    const ReadItems read = read_items(json.dump());
    EXPECT_EQ(read.dataset, "native");
    ASSERT_EQ(read.items.size(), 1u);
    EXPECT_EQ(to_json(read.items[0]), to_json(line.item));
}

TEST(PairLines, AreRecordsOfThePreferenceCollection) {
    const Pair pair;
    const auto json = preference_collection_line(pair.line('A', Comparison{"A is right.", 'A'}));
    EXPECT_EQ(json["output"], "A is right. [RESULT] A");
    EXPECT_EQ(json["orig_feedback"], "A is right.");
    EXPECT_EQ(json["orig_preference"], "A");
    EXPECT_EQ(json["orig_criteria"], "Is it right?");
    EXPECT_EQ(json["orig_score_A"], "5");
    EXPECT_EQ(json["orig_score_B"], "1.5");
    EXPECT_EQ(json["orig_feedback_B"], "feedback on 5");
    EXPECT_EQ(json["input"], "");
    EXPECT_EQ(json.size(), 14u);  // the fields of the collection, and no others
    const std::string prompt = json["instruction"];
    EXPECT_TRUE(prompt.starts_with("###Task Description:\n")) << prompt;
    EXPECT_NE(prompt.find("###Response B:\nIt is 5\n"), std::string::npos) << prompt;
    EXPECT_NE(prompt.find("###Reference Answer:\n4\n"), std::string::npos) << prompt;
    EXPECT_TRUE(prompt.ends_with("###Score Rubric:\n[Is it right?]\n\n###Feedback:")) << prompt;

    const ReadItems read = read_items(json.dump());
    EXPECT_EQ(read.dataset, "preference-collection");
    ASSERT_EQ(read.items.size(), 1u);
    EXPECT_EQ(read.items[0].label->preferred, 'A');
    EXPECT_EQ(item_hash(read.items[0]), item_hash(pair.line('A').item));
}

TEST(PairLines, SayTheLabelWithoutAJudgeAndItsVerdictWithOne) {
    const Pair pair;
    EXPECT_EQ(preference_collection_line(pair.line('B'))["output"], "[RESULT] B");
    const auto json = preference_collection_line(pair.line('B', Comparison{"No.", 'A'}));
    EXPECT_EQ(json["output"], "No. [RESULT] A");
    EXPECT_EQ(json["orig_preference"], "B");
}

// In both orders the text about the exchanged responses would call B "A".
TEST(PairLines, TakeTheTextAboutThePairAsItStands) {
    const Result both = record(
        R"({"id": 1, "mode": "relative", "verdict": "B", "parse": "text", "feedback": "Exchanged [RESULT] A",
            "consistent": true, "feedback_order": "ba",
            "orders": {"ab": {"verdict": "B", "parse": "text", "feedback": "As given. [RESULT] B"},
                       "ba": {"verdict": "B", "parse": "text", "feedback": "Exchanged [RESULT] A"}}})");
    ASSERT_TRUE(comparison_of(both));
    EXPECT_EQ(comparison_of(both)->feedback, "As given.");
    EXPECT_EQ(comparison_of(both)->verdict, 'B');
    EXPECT_TRUE(agrees(both, 'B'));
    EXPECT_FALSE(agrees(both, 'A'));
    const Result alone =
        record(R"({"id": 1, "verdict": "A", "parse": "text", "feedback": "One. [RESULT] A"})");
    EXPECT_EQ(comparison_of(alone)->feedback, "One.");
    EXPECT_TRUE(agrees(alone, 'A'));
    const Result inconsistent = record(
        R"({"id": 1, "verdict": "A", "parse": "text", "feedback": "f", "consistent": false})");
    EXPECT_FALSE(agrees(inconsistent, 'A'));
    EXPECT_FALSE(comparison_of(
        record(R"({"id": 1, "verdict": "A", "parse": "forced", "feedback": "It never says"})")));
    EXPECT_FALSE(comparison_of(record(R"({"id": 1, "verdict": null, "reason": "x"})")));
}

}  // namespace
}  // namespace assay
