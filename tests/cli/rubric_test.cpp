#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

std::string demo_file() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

TEST(RubricCommand, ListsTheBuiltInOnes) {
    const Ran ran = run_assay({"rubric", "list"});
    EXPECT_EQ(ran.exit_code, 0);
    const auto rubrics = lines(ran.output);
    ASSERT_EQ(rubrics.size(), 5u);
    EXPECT_TRUE(rubrics[0].starts_with("helpfulness: Does the model")) << rubrics[0];
    EXPECT_EQ(Json::parse(run_assay({"rubric", "list", "--json"}).output)[4]["name"], "reasoning");
}

// What show prints is a rubric again, wherever --rubric is taken.
TEST(RubricCommand, ShowsAFileToEdit) {
    const TemporaryFolder folder;
    const std::string item = R"({"id": 1, "instruction": "x", "response": "y"})";
    const auto render = [&](const std::string& rubric) {
        return run_assay({"render", "--model", demo_file(), "-i", "-", "--rubric", rubric}, item);
    };
    const Ran builtin = render("honesty");
    ASSERT_EQ(builtin.exit_code, 0) << builtin.errors;
    for (const std::string format : {"yaml", "json"}) {
        const Ran shown = run_assay({"rubric", "show", "honesty", "--" + format});
        ASSERT_EQ(shown.exit_code, 0) << shown.errors;
        const std::string file = folder.write("honesty." + format, shown.output);
        EXPECT_EQ(render(file).output, builtin.output);
        EXPECT_EQ(run_assay({"rubric", "show", file, "--" + format}).output, shown.output);
    }
    EXPECT_EQ(run_assay({"rubric", "show", "nosuch"}).exit_code, 1);
}

TEST(RubricCommand, ChecksRubrics) {
    const TemporaryFolder folder;
    const auto rubric = [&](const std::string& name, const std::string& second) {
        return folder.write(name, Json{{"criteria", "Is it like the reference answer?"},
                                       {"score1_description", "It is wrong in all that it says."},
                                       {"score2_description", second},
                                       {"score3_description", "So so."},
                                       {"score4_description", "Rather good."},
                                       {"score5_description", "Good."}}
                                      .dump());
    };
    const std::string same = rubric("same.json", "it is WRONG in all that it says. "),
                      near = rubric("near.json", "It is wrong in all that it says!");
    const Ran fine = run_assay({"rubric", "check", "honesty", "reasoning"});
    EXPECT_EQ(fine.exit_code, 0);
    EXPECT_EQ(lines(fine.output)[0], "honesty: fine");

    const Ran wrong = run_assay({"rubric", "check", near, same, "nosuch"});
    EXPECT_EQ(wrong.exit_code, 1);
    EXPECT_NE(wrong.output.find(same + ":\n  problem: level 2 repeats level 1\n"),
              std::string::npos)
        << wrong.output;
    EXPECT_NE(wrong.output.find("rubric \"nosuch\""), std::string::npos) << wrong.output;

    EXPECT_EQ(run_assay({"rubric", "check", near}).exit_code, 0);
    EXPECT_EQ(run_assay({"rubric", "check", near, "--strict"}).exit_code, 1);
    const Json json =
        Json::parse(run_assay({"rubric", "check", near, "--json", "--model", demo_file()})
                        .output)["rubrics"][0];
    EXPECT_EQ(json["warnings"][0], "level 1 and level 2 differ in punctuation alone");
    EXPECT_GT(json["tokens"]["whole"], json["tokens"]["criteria"]);
}

TEST(RubricCommand, ChecksTheRubricsOfItems) {
    const TemporaryFolder folder;
    const std::string mine = folder.write("mine.yaml", "criteria: Is it the Reference Answer?\n");
    const std::string items =
        folder.write("items.jsonl",
                     R"({"id": "a", "instruction": "i", "response": "r", "rubric": "honesty"}
{"id": "b", "instruction": "i", "response": "r", "rubric": "honesty", "reference_answer": "x"}
{"id": "c", "instruction": "i", "response_A": "r", "response_B": "s"}
{"id": "d", "instruction": "i", "response": "r", "rubric": "[c]\nScore 1: bad"}
)");
    const Ran ran = run_assay({"rubric", "check", mine, "-i", items, "--json"});
    EXPECT_EQ(ran.exit_code, 1);
    const Json json = Json::parse(ran.output);
    EXPECT_EQ(json["rubrics"][0]["warnings"].size(), 2u) << json;  // no levels, no reference
    const Json& of_items = json["items"];
    EXPECT_EQ(of_items["items"], 4);
    EXPECT_EQ(of_items["without_reference"], 3);
    EXPECT_EQ(of_items["without_rubric"], 1);
    ASSERT_EQ(of_items["rubrics"].size(), 2u);
    EXPECT_EQ(of_items["rubrics"][0]["items"], 2);
    EXPECT_TRUE(of_items["rubrics"][0]["problems"].empty());
    EXPECT_EQ(of_items["rubrics"][1]["first_item"], "d");
    EXPECT_EQ(of_items["rubrics"][1]["problems"].size(), 1u);

    const Ran bad = run_assay({"rubric", "check", "-i", "-"}, "{\"id\": \"e\"}\n");
    EXPECT_EQ(bad.exit_code, 3);
    EXPECT_NE(bad.errors.find("line 1: instruction is missing"), std::string::npos) << bad.errors;
}

}  // namespace
}  // namespace assay::test
