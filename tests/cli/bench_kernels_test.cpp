// `assay bench kernels` from end to end.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/cli/program.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

TEST(BenchKernels, MeasuresAndCompares) {
    const std::string folder = testing::TempDir() + "bench-kernels";
    std::filesystem::create_directories(folder);
    const std::string old = folder + "/old.json", html = folder + "/page.html";
    const Ran first = run_assay({"bench", "kernels", "--quick", "--quiet", "--json", "-"});
    ASSERT_EQ(first.exit_code, 0) << first.errors << first.output;
    const Json json = Json::parse(first.output);
    std::set<std::string> operations;
    for (const Json& c : json["cases"]) {
        operations.insert(c["operation"]);
        EXPECT_GT(c["cold"]["median"], 0) << c["case"];
        EXPECT_LE(c["warm"]["p10"], c["warm"]["p90"]) << c["case"];
        EXPECT_FALSE(c["kernels"].empty()) << c["case"];
        EXPECT_TRUE(c["correct"].get<bool>()) << c["case"];
    }
    EXPECT_EQ(operations.size(), 12u);
    EXPECT_GE(json["roofs"].size(), 4u);
    for (const Json& roof : json["roofs"])
        for (const auto& [key, value] : roof.items())
            EXPECT_TRUE(key == "name" || value > 0) << roof;

    std::ofstream(old) << first.output;
    const Ran second = run_assay({"bench", "kernels", "--quick", "--filter", "rmsnorm tiny rows=1",
                                  "--quiet", "--compare", old, "--html", html});
    EXPECT_EQ(second.exit_code, 0) << second.errors;
    EXPECT_NE(second.output.find("1 cases in both runs"), std::string::npos) << second.output;
    EXPECT_TRUE(std::filesystem::exists(html));
    std::filesystem::remove_all(folder);
}

TEST(BenchKernels, ListsCasesWithoutADevice) {
    const std::string no_device =
        "VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent ASSAY_LAVAPIPE_PID=$$";
    const std::vector<std::string> arguments{"bench", "kernels", "--list", "--filter",
                                             "rmsnorm rows=1,2"};
    const Ran gpu = run_assay(arguments, "", no_device), cpu = run_assay(arguments);
    EXPECT_EQ(gpu.exit_code, 0) << gpu.errors;
    EXPECT_NE(gpu.output.find("rmsnorm mistral-7b rows=1\n"), std::string::npos) << gpu.output;
    EXPECT_EQ(cpu.output, "rmsnorm small rows=1\nrmsnorm small rows=2\n");
    std::vector<std::string> on_it = arguments;
    on_it.insert(on_it.end(), {"--device", "0"});
    EXPECT_EQ(run_assay(on_it, "", no_device).exit_code, 1);
}

// Every operation, in every format, in little time.
TEST(BenchKernels, ChecksEveryFormat) {
    std::vector<std::string> arguments{"bench", "kernels", "--check", "--all", "--quiet"};
    for (const char* filter :
         {"matmul tiny part=w2 rows=5", "experts tiny part=up format=q4_0,f16 rows=5",
          "embed tiny rows=5", "repack tiny", "attention tiny rows=5 keys=512", "rope tiny rows=5",
          "rmsnorm,swiglu,gather,route,combine,sample tiny rows=3"})
        arguments.insert(arguments.end(), {"--filter", filter});
    const Ran ran = run_assay(arguments);
    EXPECT_EQ(ran.exit_code, 0) << ran.errors << ran.output;
    EXPECT_GT(lines(ran.output).size(), 60u) << ran.output;
    EXPECT_EQ(ran.output.find("left out"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace assay::test
