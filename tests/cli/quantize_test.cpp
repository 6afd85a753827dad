#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "model/formats/gguf.h"
#include "model/formats/imatrix.h"
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

TEST(Quantize, TakesAnImportanceFile) {
    const TemporaryFolder folder;
    const std::string to = folder.path() / "made.gguf";
    const Ran missing =
        run_assay({"quantize", demo_file(), to, "--type", "q4_0", "--imatrix", "none.dat"});
    EXPECT_EQ(missing.exit_code, 1);
    ImportanceFile importance;
    importance.tensors["blk.1.ffn_up.weight"] = {256, std::vector<float>(256, 2.0f), {3}};
    importance.datasets = {"prompts"};
    write_importance(folder.path() / "importance", importance);
    const Ran ran = run_assay(
        {"quantize", demo_file(), to, "--type", "q4_0", "--imatrix", folder.path() / "importance"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const MappedFile file(to);
    const Gguf made = read_gguf(file);
    EXPECT_EQ(made.metadata.get<std::string>("quantize.imatrix.file"), "importance");
    EXPECT_EQ(made.metadata.get<std::uint64_t>("quantize.imatrix.entries_count"), 1u);

    importance.tensors["blk.1.ffn_up.weight"] = {255, std::vector<float>(255, 2.0f), {3}};
    write_importance(folder.path() / "importance", importance);
    const Ran wrong = run_assay({"quantize", demo_file(), to, "--type", "q4_0", "--imatrix",
                                 folder.path() / "importance", "--force"});
    EXPECT_EQ(wrong.exit_code, 1);
    EXPECT_NE(
        wrong.errors.find("blk.1.ffn_up.weight: importance of 255 columns, the model has 256"),
        std::string::npos)
        << wrong.errors;
}

// `info` shows what it read; the copy is made once and made anew when the model changes.
TEST(Quantize, KeepsQuantisedCopies) {
    const TemporaryFolder folder;
    const std::string model = folder.path() / "judge.gguf", cache = folder.path() / "cache";
    std::filesystem::copy_file(demo_file(), model);
    const auto info = [&] {
        return run_assay(
            {"info", model, "--json", "--quantize", "q4_0", "--quantize-cache", cache});
    };
    const auto copies = [&] {
        return std::distance(std::filesystem::directory_iterator(cache),
                             std::filesystem::directory_iterator());
    };
    const Ran first = info();
    ASSERT_EQ(first.exit_code, 0) << first.errors;
    EXPECT_NE(first.errors.find("quantising to " + cache), std::string::npos) << first.errors;
    EXPECT_NE(first.output.find("q4_0"), std::string::npos) << first.output;
    EXPECT_EQ(copies(), 1);
    const Ran second = info();
    EXPECT_NE(second.errors.find("quantised before: " + cache), std::string::npos) << second.errors;
    EXPECT_NE(second.output.find("q4_0"), std::string::npos) << second.output;
    EXPECT_EQ(copies(), 1);
    std::filesystem::last_write_time(
        model, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
    EXPECT_NE(info().errors.find("quantising to"), std::string::npos);
    EXPECT_EQ(copies(), 2);
    const Ran unknown = run_assay({"info", model, "--quantize", "q9"});
    EXPECT_EQ(unknown.exit_code, 2);
}

}  // namespace
}  // namespace assay::test
