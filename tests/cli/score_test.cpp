#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

const std::string records = R"({"id":1,"score":4,"label":4,"group":"x"})"
                            "\n"
                            R"({"id":2,"score":2,"label":3,"group":"x"})"
                            "\n"
                            R"({"id":3,"score":5,"label":5,"group":"y"})"
                            "\n"
                            R"({"id":4,"score":null,"label":5,"group":"y"})"
                            "\n";

TEST(ScoreCommand, PrintsATableOrJson) {
    const Ran table = run_assay({"score", "-", "--by", "group"}, records);
    EXPECT_EQ(table.exit_code, 0) << table.errors;
    EXPECT_NE(table.output.find("3 scored, 1 unscored"), std::string::npos) << table.output;
    EXPECT_NE(table.output.find("\naccuracy "), std::string::npos) << table.output;
    const Ran json = run_assay({"score", "-", "--json", "--by", "group"}, records);
    EXPECT_EQ(json.exit_code, 0) << json.errors;
    const auto figures = nlohmann::json::parse(json.output);
    EXPECT_EQ(figures["metrics"]["accuracy"]["n"], 3);
    EXPECT_EQ(figures["metrics"]["unscored_share"]["value"], 0.25);
    EXPECT_EQ(figures["groups"]["y"]["accuracy"]["value"], 1);
    EXPECT_EQ(figures["confusion"]["3"]["2"], 1);
}

TEST(ScoreCommand, ComparesTwoFiles) {
    const TemporaryFolder folder;
    const auto one = folder.write("one.jsonl", records),
               two = folder.write("two.jsonl", R"({"id":2,"score":2})"
                                               "\n");
    const Ran ran = run_assay({"score", one, "--with", two, "--json"});
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_EQ(nlohmann::json::parse(ran.output)["metrics"]["accuracy"]["n"], 1);
}

// Labels have nothing to do with two files, or with two columns.
TEST(ScoreCommand, CountsLabelsOnlyWhereItComparesWithThem) {
    const TemporaryFolder folder;
    const auto one = folder.write("one.jsonl", records);
    EXPECT_NE(run_assay({"score", one}).output.find("label \\ verdict"), std::string::npos);
    const Ran table = run_assay({"score", one, "--with", one});
    EXPECT_EQ(table.exit_code, 0) << table.errors;
    EXPECT_EQ(table.output.find("label \\ verdict"), std::string::npos) << table.output;
    EXPECT_NE(table.output.find("3 scored, 1 unscored, 3 compared with " + one.string()),
              std::string::npos)
        << table.output;
    const auto json = nlohmann::json::parse(
        run_assay({"score", one, "--column", "score", "--against", "label", "--json"}).output);
    EXPECT_TRUE(json["confusion"].empty());
    EXPECT_EQ(json["compared"], 4);
    const auto empty = folder.write("empty.jsonl", "");
    const Ran nothing = run_assay({"score", one, "--with", empty});
    EXPECT_EQ(nothing.exit_code, 1);
    EXPECT_TRUE(nothing.errors.starts_with("assay: no record of the one file")) << nothing.errors;
}

struct Bounded {
    std::vector<std::string> flags;
    int exit_code;
    std::string named;
};

TEST(ScoreCommand, FailsBelowABound) {
    const std::vector<Bounded> cases{
        {{"--fail-under", "accuracy=0.6"}, 0, ""},
        {{"--fail-under", "accuracy=0.7"}, 1, "accuracy is 0.666667, at least 0.7 expected"},
        {{"--fail-under", "accuracy=0.1", "--fail-under", "mae=3"}, 1, "mae is "},
        {{"--fail-unscored"}, 1, "unscored_share is 0.25, at most 0 expected"},
        {{"--fail-unscored=0.25"}, 0, ""},
        {{"--fail-unscored=0.2"}, 1, "at most 0.2 expected"},
        {{"--fail-under", "nosuch=1"}, 1, "nosuch"},
        {{"--fail-under", "accuracy"}, 2, "METRIC=NUMBER"},
        {{"--fail-unscored=2"}, 2, "from 0 to 1"},
    };
    for (const auto& [flags, exit_code, named] : cases) {
        std::vector<std::string> arguments{"score", "-"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        const Ran ran = run_assay(arguments, records);
        EXPECT_EQ(ran.exit_code, exit_code) << flags[0] << ran.errors;
        EXPECT_NE(ran.errors.find(named), std::string::npos) << ran.errors;
        EXPECT_EQ(ran.errors.empty(), named.empty()) << ran.errors;
    }
}

TEST(ScoreCommand, NamesWhatIsWrong) {
    EXPECT_NE(run_assay({"score", "-"}, "{\"id\":1}\nnonsense\n").errors.find("line 2"),
              std::string::npos);
    const Ran empty = run_assay({"score", "-"});
    EXPECT_EQ(empty.exit_code, 1);
    EXPECT_NE(empty.errors.find("no records"), std::string::npos) << empty.errors;
}

}  // namespace
}  // namespace assay::test
