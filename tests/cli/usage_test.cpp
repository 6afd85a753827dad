#include <gtest/gtest.h>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Arguments = std::vector<std::string>;

const std::vector<Arguments> all_commands{
    {"grade"},          {"devices"},        {"info"},
    {"bench"},          {"bench", "model"}, {"bench", "rows"},
    {"drift"},          {"render"},         {"tokenize"},
    {"logits"},         {"score"},          {"report"},
    {"quantize"},       {"imatrix"},        {"bench", "grading"}, {"bench", "tune"},
    {"eval"},           {"rank"},           {"calibrate"},
    {"merge"},          {"import"},         {"rubric"},
    {"rubric", "list"}, {"rubric", "show"}, {"rubric", "check"},
    {"pairs"},
};

// Of a run that grades a file.
Arguments grade(const Arguments& more) {
    Arguments arguments{"grade", "--model", "demo", "-i", "x"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

TEST(Usage, ListsTheCommands) {
    for (const Arguments& arguments : {Arguments{}, Arguments{"--help"}}) {
        const Ran ran = run_assay(arguments);
        EXPECT_EQ(ran.exit_code, 0);
        for (const auto& command : all_commands)
            EXPECT_NE(ran.output.find("\n  " + command.front() + " "), std::string::npos)
                << command.front();
    }
}

TEST(Usage, ShowsTheVersion) {
    const Ran ran = run_assay({"--version"});
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_TRUE(ran.output.starts_with("assay ")) << ran.output;
}

TEST(Usage, EveryCommandShowsAnExample) {
    for (auto arguments : all_commands) {
        arguments.push_back("--help");
        const Ran ran = run_assay(arguments);
        EXPECT_EQ(ran.exit_code, 0);
        EXPECT_NE(ran.output.find("Example:\n"), std::string::npos) << arguments.front();
        EXPECT_NE(ran.output.find("assay " + arguments.front()), std::string::npos) << ran.output;
    }
}

struct WrongUsage {
    Arguments arguments;
    std::string named;  // what the message must name
};

TEST(Usage, WrongUsageIsNamed) {
    const std::vector<WrongUsage> cases{
        {{"nosuch"}, "nosuch"},
        {{"grade"}, "--model"},
        {{"grade", "--model", "demo"}, "-i"},
        {{"grade", "--model", "demo", "--nosuch"}, "--nosuch"},
        {grade({"--instruction", "y"}), "--instruction"},
        {{"grade", "--model", "demo", "--instruction", "x"}, "--response"},
        {{"grade", "--model", "demo", "--instruction", "x", "--response", "y"}, "--rubric"},
        {grade({"--profile", "nosuch"}), "nosuch"},
        {grade({"--format", "nosuch"}), "nosuch"},
        {grade({"--temperature", "nan"}), "--temperature"},
        {grade({"--top-p", "2"}), "--top-p"},
        {grade({"--top-k", "1.5"}), "--top-k"},
        {grade({"--seed", "-1"}), "from 0 to 18446744073709551615"},
        {grade({"--seed", "18446744073709551616"}), "--seed"},
        {grade({"--max-new-tokens", "-0"}), "from 1 to 16777216"},
        {grade({"--reference", "y"}), "--reference"},
        {grade({"--format", "relative", "--profile", "p1"}), "p1"},
        {grade({"--samples", "0"}), "--samples"},
        {grade({"--samples", "2"}), "--temperature"},
        {grade({"--orders", "ba"}), "--orders"},
        {grade({"--scale", "1-7"}), "--scale"},
        {grade({"--scale", "1-3", "--format", "relative"}), "--scale 1-3"},
        {grade({"--pass-at", "3"}), "--pass-at"},
        {grade({"--scale", "binary", "--pass-at", "1"}), "from 2 to 5"},
        {grade({"--retry", "all"}), "--retry"},
        {grade({"--retry", "unscored"}), "-o"},
        {grade({"--force"}), "-o"},
        {grade({"-o", "y", "--json"}), "--json and -o"},
        {grade({"--kv-memory", "much"}), "--kv-memory"},
        {grade({"--activations", "int4"}), "--activations"},
        {grade({"--kv-memory", "-3"}), "a size such as 4GB"},
        {grade({"--text", "-o", "y"}), "--text and -o"},
        {grade({"--sequences", "0"}), "--sequences"},
        {{"rank", "--model", "demo"}, "-i FILE"},
        {{"rank", "-i", "x"}, "--records"},
        {{"rank", "-i", "x", "--model", "demo"}, "-o FILE"},
        {{"rank", "-i", "x", "--model", "demo", "--records", "y"}, "--model and --records"},
        {{"rank", "-i", "x", "--records", "y", "-o", "z"}, "--records and -o"},
        {{"rank", "-i", "x", "--records", "y", "--rounds", "2"}, "--schedule swiss"},
        {{"rank", "-i", "x", "--records", "y", "--schedule", "knockout"}, "--schedule"},
        {{"drift", "--reference", "demo", "-i", "x"}, "--test"},
        {{"drift", "--test", "demo", "-i", "x"}, "--reference"},
        {{"drift", "--reference", "demo", "--test", "demo@q9", "-i", "x"}, "q9"},
        {{"drift", "--reference", "demo", "--test", "demo@int7@f32", "-i", "x"}, "int7"},
        {{"eval", "--model", "demo"}, "--data FILE"},
        {{"eval", "--model", "demo", "--data", "x"}, "--benchmark"},
        {{"eval", "--benchmark", "nosuch", "--data", "x"}, "nosuch"},
        {{"eval", "--benchmark", "hhh", "--data", "x"}, "--model"},
        {{"eval", "--suite", "x", "--records", "y"}, "--records"},
        {{"eval", "--model", "demo", "--benchmark", "vicuna", "--data", "x", "--temperature", "0",
          "--runs", "2"},
         "--runs 1"},
        {{"pairs"}, "IN"},
        {{"pairs", "x", "--model", "demo"}, "--model serves --feedback"},
        {{"pairs", "x", "--keep-disagreeing"}, "--keep-disagreeing serves --feedback"},
        {{"pairs", "x", "--feedback", "-o", "y"}, "--model"},
        {{"pairs", "x", "--feedback", "--model", "demo"}, "-o FILE"},
        {{"pairs", "x", "--feedback", "--model", "demo", "-o", "y", "--verdict-only"},
         "--verdict-only"},
        {{"pairs", "x", "--feedback", "--model", "demo", "-o", "y", "--profile", "p1"}, "p1"},
        {{"pairs", "x", "--ties", "keep", "--format", "preference-collection"}, "--ties keep"},
        {{"pairs", "x", "--limit", "0"}, "--limit"},
        {{"pairs", "x", "--min-gap", "-1"}, "--min-gap"},
        {{"pairs", "x", "--json"}, "-o FILE"},
        {{"logits", "--model", "demo", "--tokens", "x"}, "--output"},
        {{"logits", "--model", "demo", "--tokens", "x", "-o", "y", "--kv", "q9"}, "--kv"},
        {{"tokenize", "--model", "demo", "--decode", "--bos"}, "--bos"},
        {{"bench"}, "bench"},
        {grade({"--too-long", "cut"}), "--too-long"},
        {{"rubric"}, "rubric"},
        {{"rubric", "show"}, "RUBRIC"},
        {{"rubric", "show", "honesty", "--yaml", "--json"}, "--yaml"},
        {{"rubric", "check"}, "-i ITEMS"},
        {{"bench", "kernels", "--filter", "matmul q9_0"}, "q9_0"},
        {{"bench", "kernels", "--path", "fast"}, "fast"},
        {{"bench", "tune", "--formats", "q4_0,q9_0"}, "q9_0"},
        {{"bench", "tune", "--model", "demo", "--formats", "q4_0"}, "--formats"},
        {{"score"}, "results"},
        {{"report"}, "results"},
        {{"report", "x", "--format", "pdf"}, "pdf"},
        {{"report", "x", "--pass-score", "9"}, "--pass-score"},
        {{"calibrate"}, "results"},
        {{"score", "x", "--resamples", "-1"}, "--resamples"},
        {{"bench", "rows", "--model", "demo", "--rows", "8-4"}, "8-4"},
        {{"bench", "rows", "--model", "demo", "--rows", "1-64x"}, "1-64x"},
    };
    for (const auto& [arguments, named] : cases) {
        const Ran ran = run_assay(arguments);
        EXPECT_EQ(ran.exit_code, 2) << arguments.front() << " for " << named;
        EXPECT_EQ(ran.output, "");
        const auto message = lines(ran.errors);
        ASSERT_EQ(message.size(), 2u) << ran.errors;
        EXPECT_NE(message[0].find(named), std::string::npos) << message[0];
        EXPECT_NE(message[1].find("--help"), std::string::npos) << message[1];
    }
}

TEST(Usage, FailuresAreOneLine) {
    const std::vector<WrongUsage> cases{
        {{"info", "no/such/model"}, "no/such/model"},
        {{"tokenize", "--model", "no/such/model"}, "no/such/model"},
        {{"grade", "--model", "demo", "-i", "no/such/items"}, "no/such/items"},
        {{"grade", "--model", "demo", "-i", "-", "--rubric", "no/such/rubric"}, "no/such/rubric"},
        {{"grade", "--model", "demo", "-i", "/dev/null", "-q"}, "no items in /dev/null"},
        {{"drift", "--reference", "demo", "--test", "no/such/model", "-i", "x"}, "no/such/model"},
        {{"drift", "--reference", "demo", "--test", data("hf/a_mistral_gqa/model"), "-i", "x"},
         "vocab_size: 512, the reference has 2560"},
        {{"drift", "--reference", "demo", "--test", "demo", "-i", "/dev/null"}, "no items in"},
        {{"score", "no/such/results"}, "no/such/results"},
        {{"report", "no/such/results", "-o", "/dev/null"}, "no/such/results"},
        {{"grade", "--model", "demo", "--instruction", "x", "--response", "y", "--rubric",
          "helpfulness", "--context", "512", "--kv-memory", "0.5 mib"},
         "one text of 512 tokens takes 1.0 MB, 524.3 kB are allowed"},
        {{"logits", "--model", "demo", "--tokens", "no/such/ids", "-o", "x"}, "no/such/ids"},
        {{"logits", "--model", "demo", "--tokens", "/", "-o", "x"}, "/: "},
        {{"bench", "kernels", "--filter", "rows=99"}, "no case fits"},
        {{"bench", "kernels", "--compare", "no/such/run"}, "no/such/run"},
    };
    for (const auto& [arguments, named] : cases) {
        const Ran ran = run_assay(arguments);
        EXPECT_EQ(ran.exit_code, 1) << arguments.front() << " for " << named;
        ASSERT_EQ(lines(ran.errors).size(), 1u) << ran.errors;
        EXPECT_TRUE(ran.errors.starts_with("assay: ")) << ran.errors;
        EXPECT_NE(ran.errors.find(named), std::string::npos) << ran.errors;
    }
}

}  // namespace
}  // namespace assay::test
