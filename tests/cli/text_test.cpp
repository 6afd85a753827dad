// Commands that turn text into tokens; they need no device.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"
#include "tests/support/golden.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

std::string demo_file() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

TEST(Tokenize, GivesTheTextBack) {
    const std::string text = " two  spaces,\na line break, </s> and caf\xC3\xA9 \xE2\x82\xAC\n";
    const Ran ids = run_assay({"tokenize", "--model", demo_file()}, text);
    ASSERT_EQ(ids.exit_code, 0) << ids.errors;
    const Ran back = run_assay({"tokenize", "--model", demo_file(), "--decode"}, ids.output);
    ASSERT_EQ(back.exit_code, 0) << back.errors;
    EXPECT_EQ(back.output, text);
    for (const auto& id : Json::parse(ids.output)) EXPECT_GT(id.get<int>(), 2) << "a control token";
}

TEST(Tokenize, ABareVocabularyIsEnough) {
    const std::string folder = data("hf/a_mistral_gqa/model");
    const Ran of_folder = run_assay({"tokenize", "--model", folder, "--bos"}, "Hello");
    const Ran of_file =
        run_assay({"tokenize", "--model", folder + "/tokenizer.model", "--bos"}, "Hello");
    ASSERT_EQ(of_folder.exit_code, 0) << of_folder.errors;
    ASSERT_EQ(of_file.exit_code, 0) << of_file.errors;
    EXPECT_EQ(of_folder.output, of_file.output);
    EXPECT_TRUE(of_file.output.starts_with("[1,")) << of_file.output;
    const Ran without = run_assay({"tokenize", "--model", folder}, "Hello");
    EXPECT_EQ("[1," + without.output.substr(1), of_file.output);
}

TEST(Tokenize, RefusesWhatIsNoToken) {
    for (const char* ids : {"[1, -2]", "[1, 2560]", "{}", "nonsense"}) {
        const Ran ran = run_assay({"tokenize", "--model", demo_file(), "--decode"}, ids);
        EXPECT_EQ(ran.exit_code, 1) << ids;
        EXPECT_EQ(lines(ran.errors).size(), 1u) << ran.errors;
    }
}

TEST(Render, GivesTheReferencesPromptsAndTokens) {
    const Json golden = read_json(data("demo-judge/golden.json"))["items"];
    std::string items;
    for (const Json& item : golden) items += item["fields"].dump() + "\n";
    const Ran ran = run_assay(
        {"render", "--model", demo_file(), "-i", "-", "--profile", "lib-fastchat"}, items);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const auto rendered = lines(ran.output);
    ASSERT_EQ(rendered.size(), golden.size());
    for (std::size_t i = 0; i < rendered.size(); ++i) {
        const Json line = Json::parse(rendered[i]);
        EXPECT_EQ(line["id"], i + 1);
        EXPECT_EQ(line["prompt"], golden[i]["prompt"]);
        EXPECT_EQ(line["ids"], golden[i]["prompt_ids"]);
    }
}

TEST(Render, AFullDiskIsAFailure) {
    const Ran ran =
        run_assay({"render", "--model", demo_file(), "-i", "-"},
                  R"({"instruction": "x", "response": "y", "rubric": "honesty"})", "", "/dev/full");
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.errors.find("standard output"), std::string::npos) << ran.errors;
}

TEST(Render, GoesOnAfterABadLine) {
    const std::string good =
        R"({"id": "a", "instruction": "x", "response": "y", "rubric": "helpfulness"})";
    const Ran ran =
        run_assay({"render", "--model", demo_file(), "-i", "-"}, "{\"id\": \"b\"}\n" + good + "\n");
    EXPECT_EQ(ran.exit_code, 3);
    const auto rendered = lines(ran.output);
    ASSERT_EQ(rendered.size(), 2u);
    EXPECT_EQ(Json::parse(rendered[0])["id"], "b");
    EXPECT_TRUE(Json::parse(rendered[0]).contains("error"));
    EXPECT_TRUE(Json::parse(rendered[1]).contains("ids"));
}

}  // namespace
}  // namespace assay::test
