#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

const std::string records =
    R"([{"input": "i", "actual_output": "o", "expected_output": "e"}, {"input": "j"}, )"
    R"({"input": "k", "actual_output": "p"}])";

TEST(Import, WritesItemsAndNamesWhatIsNone) {
    const TemporaryFolder folder;
    const std::string from = folder.write("x.json", records), to = folder.path() / "items.jsonl";
    const Ran ran = run_assay({"import", from, "-o", to});
    EXPECT_EQ(ran.exit_code, 3);
    EXPECT_EQ(ran.output, "");
    const auto messages = lines(ran.errors);
    ASSERT_EQ(messages.size(), 2u) << ran.errors;
    EXPECT_EQ(messages[0], "assay: record 2: actual_output is missing");
    EXPECT_TRUE(messages[1].ends_with("2 items of deepeval, 1 records that are none"));
    EXPECT_EQ(lines(read_file(to)).front(),
              R"({"id":1,"instruction":"i","response":"o","reference_answer":"e"})");
    EXPECT_EQ(run_assay({"import", from, "-o", to}).exit_code, 1);  // it is there already
}

TEST(Import, ReadsMappedTables) {
    const Ran ran = run_assay({"import", "-", "-q", "--map", "instruction=q", "--map",
                               "label.human=stars", "--map", "response=a", "--rubric", "honesty"},
                              R"({"q": "Why?", "a": "So.", "stars": 4})");
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json item = Json::parse(ran.output);
    EXPECT_EQ(item["instruction"], "Why?");
    EXPECT_EQ(item["label"]["human"], 4);
    EXPECT_EQ(ran.errors, "");
}

TEST(Import, ListsDatasets) {
    const Ran ran = run_assay({"import", "--list", "--json"});
    ASSERT_EQ(ran.exit_code, 0);
    EXPECT_EQ(Json::parse(ran.output).size(), 18u);
    EXPECT_NE(run_assay({"import", "--list"}).output.find("judgebench: JudgeBench\n"),
              std::string::npos);
}

TEST(Import, TheCoinIsThatOfOtherCommands) {
    const std::string record = R"({"prompt": "i", "chosen": "good", "rejected": "bad"})";
    std::string orders;
    for (int seed = 0; seed < 8; ++seed) {
        const std::string text = std::to_string(seed);
        const Ran imported =
            run_assay({"import", "-", "-q", "--seed", text, "--rubric", "honesty"}, record);
        const Ran rendered =
            run_assay({"render", "--model", data("demo-judge/tiny-judge-Q8_0.gguf"), "-i", "-",
                       "--rubric", "honesty", "--seed", text},
                      record);
        const std::string a = Json::parse(imported.output)["response_A"];
        EXPECT_NE(Json::parse(rendered.output)["prompt"].get<std::string>().find("A:\n" + a),
                  std::string::npos);
        orders += a[0];
    }
    EXPECT_NE(orders.find('g'), std::string::npos);
    EXPECT_NE(orders.find('b'), std::string::npos);
}

TEST(Import, ShowsNoControlCharacters) {
    const Ran ran = run_assay({"import", "-", "--map", "instruction=\033[31m"}, "{\"a\": 1}");
    EXPECT_EQ(ran.exit_code, 3);
    EXPECT_EQ(ran.errors.find('\033'), std::string::npos) << ran.errors;
    EXPECT_EQ(run_assay({"import", "-", "--json"}, "{}").exit_code, 2);
    EXPECT_EQ(run_assay({"import", "-", "--profile", "p1"}, "{}").exit_code, 2);
}

// Other commands read the same files.
TEST(Import, RenderReadsDatasetsToo) {
    const Ran ran =
        run_assay({"render", "--model", data("demo-judge/tiny-judge-Q8_0.gguf"), "-i", "-",
                   "--rubric", "honesty"},
                  R"({"user_input": "i", "response": "r", "retrieved_contexts": ["c"]})");
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(Json::parse(ran.output)["prompt"].get<std::string>().find("###Relevant Context:\nc"),
              std::string::npos);
}

}  // namespace
}  // namespace assay::test
