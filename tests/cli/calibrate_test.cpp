#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

std::string labelled_pairs(int n) {
    std::string records;
    for (int i = 0; i < n; ++i)
        records += R"({"id":)" + std::to_string(i) +
                   R"(,"verdict":"A","probs":{"A":0.99,"B":0.01},"label":")" +
                   (i % 4 == 0 ? "B" : "A") + "\"}\n";
    return records;
}

TEST(CalibrateCommand, WritesWhatItFitted) {
    const TemporaryFolder folder;
    const std::string file = folder.path() / "calibration.json";
    const Ran ran = run_assay({"calibrate", "-", "-o", file}, labelled_pairs(40));
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.output.find("relative: 40 items, temperature 4.18"), std::string::npos)
        << ran.output;
    EXPECT_NE(ran.output.find("ece  0.2400, calibrated 0.1"), std::string::npos) << ran.output;
    const auto calibration = nlohmann::json::parse(read_file(file));
    EXPECT_EQ(calibration["relative"]["n"], 40);
    EXPECT_EQ(calibration["method"], "temperature");

    const Ran again = run_assay({"calibrate", "-", "-o", file}, labelled_pairs(40));
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_NE(again.errors.find("--force"), std::string::npos) << again.errors;
}

TEST(CalibrateCommand, WritesToStandardOutput) {
    const Ran ran = run_assay({"calibrate", "-", "-o", "-"}, labelled_pairs(40));
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_EQ(nlohmann::json::parse(ran.output)["relative"]["n"], 40);
    EXPECT_FALSE(std::filesystem::exists("-"));
    EXPECT_EQ(ran.errors, "");
}

TEST(CalibrateCommand, WarnsOfATemperatureAtItsLimit) {
    std::string right;
    for (int i = 0; i < 20; ++i)
        right += R"({"id":)" + std::to_string(i) +
                 R"(,"verdict":"A","probs":{"A":0.6,"B":0.4},"label":"A"})" + "\n";
    const Ran ran = run_assay({"calibrate", "-"}, right);
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_TRUE(ran.errors.starts_with("warning: relative: temperature 0.01 is the limit: "))
        << ran.errors;
}

TEST(CalibrateCommand, NamesWhatIsMissing) {
    const Ran few = run_assay({"calibrate", "-"}, labelled_pairs(3));
    EXPECT_EQ(few.exit_code, 1);
    EXPECT_NE(few.errors.find("3 items with probabilities and a label, at least 10 expected"),
              std::string::npos)
        << few.errors;
    const Ran method = run_assay({"calibrate", "x", "--method", "magic"});
    EXPECT_EQ(method.exit_code, 2);
    EXPECT_NE(method.errors.find("--method"), std::string::npos) << method.errors;
}

}  // namespace
}  // namespace assay::test
