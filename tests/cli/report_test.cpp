#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

const std::string records = data("report/records.jsonl");

TEST(Report, WritesWhatTheNameOfTheFileSays) {
    const TemporaryFolder folder;
    const std::pair<const char*, const char*> formats[]{{"page.html", "<!DOCTYPE html>"},
                                                        {"table.csv", "id,mode,score"},
                                                        {"tests.xml", "<?xml"},
                                                        {"note.md", "# Report on records.jsonl"},
                                                        {"figures.json", "{\n"}};
    for (const auto& [name, begin] : formats) {
        const std::string path = folder.path() / name;
        const Ran ran = run_assay({"report", records, "-o", path});
        EXPECT_EQ(ran.exit_code, 0) << ran.errors;
        EXPECT_EQ(ran.output + ran.errors, "");
        EXPECT_TRUE(read_file(path).starts_with(begin)) << read_file(path).substr(0, 80);
    }
}

TEST(Report, WritesToStandardOutputToo) {
    const Ran ran = run_assay({"report", records, "--json", "--title", "Mine"});
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    const auto json = nlohmann::json::parse(ran.output);
    EXPECT_EQ(json["title"], "Mine");
    EXPECT_EQ(json["sections"][0]["id"], "overview");
    EXPECT_EQ(json["sections"][0]["figures"][0]["value"], 41);
    const Ran from_input = run_assay({"report", "-", "--format", "markdown"}, read_file(records));
    EXPECT_TRUE(from_input.output.starts_with("# Report on standard input")) << from_input.errors;
}

TEST(Report, RefusesItems) {
    for (const char* command : {"report", "score"}) {
        const std::string items = data("report/items.jsonl");
        const Ran ran = run_assay({command, items});
        EXPECT_EQ(ran.exit_code, 1) << command;
        EXPECT_EQ(ran.output, "");
        EXPECT_EQ(ran.errors, "assay: " + items + ": " +
                                  std::to_string(lines(read_file(items)).size()) +
                                  " items (native), not records: grade them first\n");
    }
    const TemporaryFolder folder;
    const std::string other = folder.write("x.jsonl", "{\"a\": 1, \"b\": 2}\n{\"a\": 2, \"b\": 2}");
    EXPECT_NE(run_assay({"score", other}).errors.find("2 lines without a verdict"),
              std::string::npos);
    // Two columns of any file are compared all the same.
    EXPECT_EQ(run_assay({"score", other, "--column", "a", "--against", "b"}).exit_code, 0);
}

TEST(Report, TellsMetricsInEveryFormatOfFigures) {
    const auto metrics =
        nlohmann::json::parse(run_assay({"report", records, "--json"}).output)["metrics"];
    ASSERT_EQ(metrics.size(), 1u);
    EXPECT_EQ(metrics[0]["file"], "records.jsonl");
    EXPECT_EQ(metrics[0]["metrics"],
              nlohmann::json::parse(
                  run_assay({"score", records, "--by", "group", "--json"}).output)["metrics"]);
    const std::string junit = run_assay({"report", records, "--format", "junit"}).output;
    EXPECT_NE(junit.find("<properties>\n<property name=\"pearson\" value=\"0."), std::string::npos)
        << junit.substr(0, 500);
    EXPECT_NE(junit.find("<property name=\"accuracy.low\" value=\"0."), std::string::npos);
    const std::string markdown = run_assay({"report", records, "--format", "markdown"}).output;
    EXPECT_NE(markdown.find("| Pearson | 0."), std::string::npos);
}

// A table shows no figures, but bounds are of them.
TEST(Report, KeepsBoundsWithATable) {
    EXPECT_EQ(run_assay({"report", records, "--format", "csv"}).exit_code, 0);
    for (const char* bound : {"accuracy=0.9", "accuracy=0.1"})
        EXPECT_EQ(
            run_assay({"report", records, "--format", "csv", "--fail-under", bound}).exit_code,
            bound == std::string("accuracy=0.9") ? 1 : 0)
            << bound;
    EXPECT_EQ(run_assay({"report", records, "--format", "csv", "--fail-unscored"}).exit_code, 1);
}

TEST(Report, SaysWhichItemsAreMissing) {
    const Ran ran = run_assay(
        {"report", records, "--format", "csv", "-i", data("report/items.jsonl").string()});
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_NE(ran.output.find("Why do tides rise twice a day?"), std::string::npos);
    EXPECT_TRUE(ran.errors.starts_with("assay: 1 of 43 records have no item in ")) << ran.errors;
}

TEST(Report, FailsUnderItsBoundsAfterItIsWritten) {
    const std::vector<std::vector<std::string>> missed{
        {"--fail-under", "accuracy=0.9"}, {"--fail-over", "accuracy=0.1"}, {"--fail-unscored"}};
    for (std::vector<std::string> bound : missed) {
        bound.insert(bound.begin(), {"report", records, "--format", "markdown"});
        const Ran ran = run_assay(bound);
        EXPECT_EQ(ran.exit_code, 1) << bound.back();
        EXPECT_EQ(lines(ran.errors).size(), 1u) << ran.errors;
        EXPECT_TRUE(ran.output.starts_with("# Report"));
    }
    EXPECT_EQ(run_assay({"report", records, "--format", "markdown", "--fail-under", "accuracy=0.5",
                         "--fail-unscored=0.1"})
                  .exit_code,
              0);
}

TEST(Report, LeavesNoFileWhereItFails) {
    const TemporaryFolder folder;
    const std::string to = folder.path() / "report.html";
    EXPECT_EQ(run_assay({"report", "no/such/results", "-o", to}).exit_code, 1);
    EXPECT_FALSE(std::filesystem::exists(to));
    // What was there before stays.
    folder.write("report.html", "before");
    EXPECT_EQ(run_assay({"report", "no/such/results", "-o", to}).exit_code, 1);
    EXPECT_EQ(read_file(to), "before");
}

TEST(Report, LeavesItsInputAlone) {
    const Ran ran = run_assay({"report", records, "-o", records});
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_NE(ran.errors.find("is both"), std::string::npos) << ran.errors;
    const TemporaryFolder folder;
    const std::string empty = folder.write("empty.jsonl", "");
    EXPECT_EQ(run_assay({"report", empty}).errors, "assay: " + empty + ": no records\n");
}

}  // namespace
}  // namespace assay::test
