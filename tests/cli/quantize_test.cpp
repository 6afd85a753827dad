#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

std::string demo_file() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

TEST(Quantize, SaysWhatItMade) {
    const TemporaryFolder folder;
    const std::string to = folder.path() / "made.gguf";
    const Ran ran = run_assay({"quantize", demo_file(), to, "--type", "Q4_0", "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json made = Json::parse(ran.output);
    EXPECT_EQ(made["type"], "Q4_0");
    EXPECT_EQ(made["bytes"], std::filesystem::file_size(to));
    EXPECT_EQ(made["tensors"]["q4_0"], 29);
    EXPECT_EQ(made["tensors"]["q6_k"], 1);  // the output head
    const Ran info = run_assay({"info", to, "--json"});
    EXPECT_EQ(info.exit_code, 0) << info.errors;
}

TEST(Quantize, TakesTypesInAnyCase) {
    const TemporaryFolder folder;
    const Ran ran =
        run_assay({"quantize", demo_file(), folder.path() / "made.gguf", "--type", "bF16"});
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.output.find("30 bf16"), std::string::npos) << ran.output;
    const Ran unknown =
        run_assay({"quantize", demo_file(), folder.path() / "other.gguf", "--type", "Q9"});
    EXPECT_EQ(unknown.exit_code, 2);
    EXPECT_NE(unknown.errors.find("\"Q9\" given"), std::string::npos) << unknown.errors;
}

TEST(Quantize, ReplacesNothingUnasked) {
    const TemporaryFolder folder;
    const std::string to = folder.write("there.gguf", "precious");
    const Ran refused = run_assay({"quantize", demo_file(), to, "--type", "q8_0"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.errors.find("--force"), std::string::npos) << refused.errors;
    EXPECT_EQ(read_file(to), "precious");
    const Ran forced = run_assay({"quantize", demo_file(), to, "--type", "q8_0", "--force", "-q"});
    EXPECT_EQ(forced.exit_code, 0) << forced.errors;
    EXPECT_EQ(forced.output + forced.errors, "");
    EXPECT_TRUE(read_file(to).starts_with("GGUF"));
    const Ran itself = run_assay({"quantize", to, to, "--type", "q4_0", "--force"});
    EXPECT_EQ(itself.exit_code, 1);
    EXPECT_NE(itself.errors.find("is to be read"), std::string::npos) << itself.errors;
    const Ran device = run_assay({"quantize", to, "/dev/null", "--type", "q4_0", "--force"});
    EXPECT_EQ(device.exit_code, 1);
    EXPECT_NE(device.errors.find("no regular file"), std::string::npos) << device.errors;
}

}  // namespace
}  // namespace assay::test
