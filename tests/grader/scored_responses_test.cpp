#include "grader/scored_responses.h"

#include <gtest/gtest.h>

#include <sstream>

#include "runtime/error.h"

namespace assay {
namespace {

const std::string items =
    R"({"id": "a", "instruction": "i", "response": "x", "label": {"gpt4": [4, 5, 3], "human": 2}})"
    "\n"
    R"({"id": "b", "instruction": "i", "response": "y", "label": 5})"
    "\n"
    R"({"id": "c", "instruction": "i", "response": "z"})"
    "\n"
    R"({"id": "d", "instruction": "i", "response_A": "x", "response_B": "y", "label": "A"})"
    "\n"
    R"({"id": "e", "instruction": "i"})"
    "\n";

ScoredResponses labelled(const std::string& score) {
    std::istringstream stream(items);
    const auto source = read_dataset(stream, "x", {.defaults = {.mode = {}, .rubric = Rubric{}}});
    return labelled_responses(*source, score);
}

GradedItems graded_items() {
    GradedItems all;
    std::istringstream stream(items);
    ItemReader reader(stream, {.mode = {}, .rubric = Rubric{}});
    while (const auto next = reader.next())
        if (const auto* item = std::get_if<Item>(&*next)) all.add(*item);
    return all;
}

ScoredResponses graded(const std::string& records, const std::string& score) {
    std::istringstream stream(records);
    return graded_responses(read_results(stream, "records"), graded_items(), score);
}

TEST(ScoredResponses, OfItemsAreByTheirLabels) {
    const ScoredResponses read = labelled("label");
    ASSERT_EQ(read.responses.size(), 2u);
    EXPECT_EQ(read.responses[0].item.id.text, "a");
    EXPECT_EQ(read.responses[0].score, 3);  // the mean of 4 and 2
    EXPECT_EQ(read.responses[1].score, 5);
    EXPECT_EQ(read.unscored, 1u);
    EXPECT_EQ(read.pairs, 1u);
    ASSERT_EQ(read.bad.size(), 1u);
    EXPECT_STREQ(read.bad[0].what(), "line 5: response is missing");

    const ScoredResponses by_gpt4 = labelled("label.gpt4");
    ASSERT_EQ(by_gpt4.responses.size(), 1u);
    EXPECT_EQ(by_gpt4.responses[0].score, 4);
    EXPECT_EQ(by_gpt4.unscored, 2u);
    EXPECT_THROW(labelled("expected_score"), Error);
}

TEST(ScoredResponses, OfRecordsAreByAnyColumn) {
    const std::string records =
        R"({"id": "a", "mode": "absolute", "score": 4, "expected_score": 3.5, "feedback": "Good. [RESULT] 4"})"
        "\n"
        R"({"id": "b", "mode": "absolute", "score": null, "reason": "context_exceeded"})"
        "\n"
        R"({"id": "d", "mode": "relative", "verdict": "A"})"
        "\n"
        R"({"id": "b", "mode": "absolute", "score": 2, "item_hash": "0123456789abcdef"})"
        "\n"
        R"({"id": "nowhere", "mode": "absolute", "score": 2})";
    const ScoredResponses read = graded(records, "score");
    ASSERT_EQ(read.responses.size(), 1u);
    EXPECT_EQ(read.responses[0].item.response, "x");
    EXPECT_EQ(read.responses[0].score, 4);
    EXPECT_EQ(read.responses[0].feedback, "Good.");
    EXPECT_EQ(read.pairs, 1u);
    // Of b there is a later record, but of an item with another text.
    EXPECT_EQ(read.unscored, 0u);
    EXPECT_EQ(read.without_item, 2u);
    EXPECT_EQ(graded(records, "expected_score").responses[0].score, 3.5);
    try {
        graded(records, "feedback");
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "line 1: feedback: expected a number, found a string");
    }
}

TEST(ScoredResponses, FeedbackEndsBeforeItsVerdict) {
    EXPECT_EQ(without_verdict("It says [RESULT] first. \n[RESULT] A"), "It says [RESULT] first.");
    EXPECT_EQ(without_verdict("No verdict. "), "No verdict.");
    EXPECT_EQ(without_verdict("[RESULT] 5"), "");
    EXPECT_EQ(without_verdict(""), "");
}

}  // namespace
}  // namespace assay
