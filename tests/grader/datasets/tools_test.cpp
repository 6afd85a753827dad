// Three records of each of the other tools, in the layout it writes.
#include <gtest/gtest.h>

#include <string>

#include "tests/grader/datasets/dataset_items.h"

namespace assay {
namespace {

TEST(Tools, Promptfoo) {
    const ReadItems read = read_items(R"({"evalId": "eval-1", "results": {"version": 3,
        "timestamp": "2024-01-15T10:30:00Z", "prompts": [{"raw": "{{q}}", "label": "p"}],
        "results": [
         {"prompt": {"raw": "What is 2+2?", "label": "p"}, "vars": {"q": "What is 2+2?"},
          "response": {"output": "4"}, "provider": {"id": "openai:m1", "label": ""}, "score": 1,
          "success": true, "testCase": {"assert": [{"type": "llm-rubric", "value": "Is it right?"},
                                                   {"type": "equals", "value": "4"}]}},
         {"prompt": {"raw": "[{\"role\": \"user\", \"content\": \"Hi\"}]"}, "provider": "m2",
          "vars": {"context": "It is late."}, "response": {"output": {"say": "hi"}}, "score": 0.5},
         {"vars": {"question": "Why?"}, "response": {"output": "Because."}},
         {"vars": {"question": "Why?"}, "response": {"error": "timeout"}}]}})");
    EXPECT_EQ(read.dataset, "promptfoo");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(read.items[0].instruction, "What is 2+2?");
    EXPECT_EQ(read.items[0].response, "4");
    EXPECT_EQ(read.items[0].reference_answer, "4");
    EXPECT_EQ(read.items[0].rubric.text, "Is it right?");
    EXPECT_EQ(read.items[0].generator, "openai:m1");
    EXPECT_EQ(to_json(*read.items[0].label).dump(), R"({"promptfoo":1})");
    EXPECT_EQ(read.items[1].instruction, "Hi");
    EXPECT_EQ(read.items[1].response, R"({"say":"hi"})");
    EXPECT_EQ(read.items[1].context, "It is late.");
    EXPECT_EQ(read.items[1].generator, "m2");
    EXPECT_EQ(read.items[2].instruction, "Why?");
    EXPECT_EQ(read.problems[0], "record 4: response.output is missing");
}

// A file of results also holds the configuration, with its tests.
TEST(Tools, PromptfooResultsAreNotTheirTests) {
    const ReadItems read = read_items(R"({"evalId": "e",
        "config": {"tests": [{"vars": {"question": "Why?"}}]},
        "results": {"results": [
            {"prompt": {"raw": "Why?"}, "vars": {}, "response": {"output": "So."}}]}})");
    EXPECT_EQ(read.dataset, "promptfoo");
    ASSERT_EQ(read.items.size(), 1u);
    EXPECT_EQ(read.items[0].response, "So.");
}

TEST(Tools, PromptfooTests) {
    const ReadItems read = read_items(R"([
        {"description": "sum", "vars": {"question": "What is 2+2?"}, "providerOutput": "4",
         "assert": [{"type": "factuality", "value": "Four."}]},
        {"vars": {"query": "Hi", "output": "Hello", "context": "c"}, "assert": []},
        {"vars": {"input": "i", "answer": "a"}},
        {"vars": {"question": "i"}}])");
    EXPECT_EQ(read.dataset, "promptfoo-tests");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(read.items[0].response, "4");
    EXPECT_EQ(read.items[0].reference_answer, "Four.");
    EXPECT_EQ(read.items[1].instruction, "Hi");
    EXPECT_EQ(read.items[1].context, "c");
    EXPECT_EQ(read.items[2].response, "a");
    EXPECT_EQ(read.problems[0],
              "record 4: no output to grade: neither providerOutput nor vars.response, output, "
              "answer");
}

TEST(Tools, PromptfooTables) {
    const ReadItems read = read_items(
        "question,output,__expected1,__expected2\n"
        "What is 2+2?,4,similar(0.8): four,llm-rubric: Is it right?\n"
        "Hi,Hello,Hello,\n"
        "Why?,Because.,,\n");
    EXPECT_EQ(read.dataset, "promptfoo-tests");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(read.items[0].reference_answer, "four");
    EXPECT_EQ(read.items[0].rubric.text, "Is it right?");
    EXPECT_EQ(read.items[1].reference_answer, "Hello");
    EXPECT_FALSE(read.items[2].reference_answer);
}

TEST(Tools, PromptfooCells) {
    const ReadItems read = read_items(
        "question,output,__expected\n"
        "a,o,grade: Is it kind?\n"
        "b,o,note: the end\n"
        "c,o,not-equals: x\n"
        "d,o,contains: x\n");
    ASSERT_EQ(read.items.size(), 4u);
    EXPECT_EQ(read.items[0].rubric.text, "Is it kind?");
    EXPECT_EQ(read.items[1].reference_answer, "note: the end");
    EXPECT_FALSE(read.items[2].reference_answer);
    EXPECT_FALSE(read.items[3].reference_answer);
}

TEST(Tools, DeepEval) {
    const ReadItems read = read_items(R"({"testFile": "t.py", "testCases": [
        {"name": "test_case_0", "input": "i", "actualOutput": "o", "expectedOutput": "e",
         "retrievalContext": ["p1", "p2"], "success": true},
        {"name": "test_case_1", "input": "i", "actualOutput": "o"},
        {"input": "i", "actual_output": "o", "expected_output": "e", "context": ["c"]},
        {"input": "i", "expected_output": "e", "actual_output": null}]})");
    EXPECT_EQ(read.dataset, "deepeval");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(read.items[0].id, (ItemId{"test_case_0", false}));
    EXPECT_EQ(read.items[0].reference_answer, "e");
    EXPECT_EQ(read.items[0].context, "p1\n\np2");
    EXPECT_EQ(read.items[1].response, "o");
    EXPECT_EQ(read.items[2].context, "c");
    EXPECT_EQ(read.problems[0], "record 4: actual_output is missing");
}

TEST(Tools, Ragas) {
    const ReadItems read = read_items(
        R"([{"user_input": "i", "response": "r", "reference": "a",
             "retrieved_contexts": ["p1", "p2"],
             "rubrics": {"score1_description": "d1", "score2_description": "d2",
                         "score3_description": "d3", "score4_description": "d4",
                         "score5_description": "d5"}},
            {"user_input": [{"content": "Hi", "type": "human"}, {"content": "Yes?", "type": "ai"},
                            {"content": "Why?", "type": "human"}], "response": "r"},
            {"question": "i", "answer": "r", "ground_truth": "a", "contexts": ["c"]},
            {"user_input": "i", "retrieved_contexts": ["p"]}])");
    EXPECT_EQ(read.dataset, "ragas");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(read.items[0].context, "p1\n\np2");
    EXPECT_EQ(read.items[0].reference_answer, "a");
    EXPECT_TRUE(read.items[0].rubric.has_levels());
    EXPECT_TRUE(read.items[1].instruction.ends_with("User: Hi\nAssistant: Yes?\nUser: Why?"));
    EXPECT_EQ(read.items[2].reference_answer, "a");
    EXPECT_EQ(read.items[2].context, "c");
    EXPECT_EQ(read.problems[0], "record 4: response is missing");
}

}  // namespace
}  // namespace assay
