// `assay bench tune` from end to end, and what becomes of what it keeps.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Json = nlohmann::ordered_json;
using Arguments = std::vector<std::string>;

TEST(BenchTune, IsKeptAndGoneBy) {
    const TemporaryFolder cache;
    const std::string environment = "XDG_CACHE_HOME=" + cache.path().string();
    const auto run = [&](const Arguments& arguments) {
        return run_assay(arguments, "", environment);
    };
    const Arguments kernels{"bench",
                            "kernels",
                            "--quick",
                            "--quiet",
                            "--json",
                            "-",
                            "--filter",
                            "matmul tiny part=w13 q4_0 rows=8",
                            "attention tiny kv=f16 rows=8 keys=512"};
    const auto kernel_of = [&](const Ran& ran) {
        return Json::parse(ran.output)["cases"][0]["kernels"][0]["kernel"].get<std::string>();
    };

    const Ran tuned = run({"bench", "tune", "--quick", "--quiet", "--json", "-"});
    ASSERT_EQ(tuned.exit_code, 0) << tuned.errors << tuned.output;
    const Json json = Json::parse(tuned.output);
    ASSERT_GE(json["classes"].size(), 7u);
    EXPECT_EQ(json["classes"][0]["class"], "attention f16 128, one token");
    for (const Json& c : json["classes"]) {
        EXPECT_GE(c["trials"].size(), 2u) << c["class"];
        for (const Json& trial : c["trials"]) {
            EXPECT_FALSE(trial.contains("fault")) << trial;
            EXPECT_GT(trial["median"], 0) << trial;
        }
        EXPECT_EQ(c["usual"] == c["best"], c["gain"] == 1.0) << c["class"];
        EXPECT_GE(c["gain"], 1.0) << c["class"];
    }

    const std::filesystem::path file = json["kept_in"].get<std::string>();
    EXPECT_EQ(file.parent_path(), cache.path() / "assay");
    Json kept = Json::parse(read_file(file));
    EXPECT_EQ(kept["device"], json["device"]);
    kept["choices"] = {{{"of", "all"},
                        {"format", "q4_0"},
                        {"most_rows", 8},
                        {"wide", false},
                        {"path", "skinny"},
                        {"numbers", {4, 8}}}};
    kept["attention"] = {{{"cache", "f16"},
                          {"head_dim", 64},
                          {"prompt", false},
                          {"path", "direct"},
                          {"width", 0},
                          {"split_keys", 128}}};
    std::ofstream(file) << kept;
    const Json device = Json::parse(run({"devices", "--json"}).output)[0];
    EXPECT_EQ(device["tuned"]["choices"], 2);
    EXPECT_EQ(device["tuned"]["date"], kept["date"]);
    const Ran by_choice = run(kernels);
    ASSERT_EQ(by_choice.exit_code, 0) << by_choice.errors;
    EXPECT_TRUE(kernel_of(by_choice).starts_with("skinny")) << kernel_of(by_choice);
    const Json cases = Json::parse(by_choice.output)["cases"];
    ASSERT_EQ(cases.size(), 2u);
    for (const Json& c : cases)
        EXPECT_TRUE(c["why"].get<std::string>().starts_with("tuned")) << c["case"];

    kept["choices"][0].update({{"int8", true}, {"path", "dot"}, {"numbers", {8, 32, 8, 16, 1}}});
    std::ofstream(file) << kept;
    if (device["tiers"]["coopmat_s8"]["on"] == true) {
        Arguments by_bytes = kernels;
        by_bytes.insert(by_bytes.end(), {"--path", "dot"});
        const Ran ran = run(by_bytes);
        EXPECT_EQ(ran.exit_code, 0) << ran.errors << ran.output;
        const std::string ran_kernels = Json::parse(ran.output)["cases"][0]["kernels"].dump();
        EXPECT_NE(ran_kernels.find("dot_coopmat"), ran_kernels.npos) << ran_kernels;
    }

    std::ofstream(file) << "{";
    const Ran broken = run(kernels);
    EXPECT_EQ(broken.exit_code, 0) << broken.errors;
    EXPECT_FALSE(kernel_of(broken).starts_with("skinny"));
    ASSERT_EQ(lines(broken.errors).size(), 1u) << broken.errors;
    EXPECT_NE(broken.errors.find(file.string()), std::string::npos) << broken.errors;

    EXPECT_EQ(run({"bench", "tune", "--forget"}).exit_code, 0);
    EXPECT_FALSE(std::filesystem::exists(file));
    EXPECT_TRUE(Json::parse(run({"devices", "--json"}).output)[0]["tuned"].is_null());
}

}  // namespace
}  // namespace assay::test
