#include "model/formats/imatrix.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

std::string demo_file() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

const std::string texts =
    "\xef\xbb\xbf{\"text\": \"Bread rises because yeast makes gas.\"}\n"
    "{\"instruction\": \"Why does bread rise?\", \"response\": \"Yeast.\", \"rubric\": "
    "\"helpfulness\"}\n"
    "\n"
    "{\"prompt\": \"Cheese\"}\n";

}  // namespace

TEST(Imatrix, WritesWhatQuantizeTakes) {
    const TemporaryFolder folder;
    const std::string to = folder.path() / "importance.gguf";
    const Ran ran =
        run_assay({"imatrix", "--model", demo_file(), "-i", "-", "-o", to, "--json"}, texts);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json summary = Json::parse(ran.output);
    EXPECT_EQ(summary["texts"], 3);
    EXPECT_EQ(summary["cut"], 0);
    EXPECT_EQ(summary["tensors"], 4 * 7);
    EXPECT_TRUE(summary["idle_experts"].empty());

    const ImportanceFile file = read_importance(to);
    EXPECT_EQ(file.chunks, 3u);
    EXPECT_EQ(file.datasets, std::vector<std::string>{"standard input"});
    ASSERT_EQ(file.tensors.size(), 4u * 7);
    for (const auto& [name, sums] : file.tensors)
        EXPECT_EQ(sums.counts, std::vector{summary["tokens"].get<float>()}) << name;
    // Queries, keys and values read the same.
    EXPECT_EQ(file.tensors.at("blk.2.attn_q.weight").squares,
              file.tensors.at("blk.2.attn_v.weight").squares);

    const Ran quantized = run_assay({"quantize", demo_file(), folder.path() / "made.gguf", "--type",
                                     "q4_k_m", "--imatrix", to, "-q"});
    EXPECT_EQ(quantized.exit_code, 0) << quantized.errors;
}

TEST(Imatrix, CutsToTheContextAndStopsWhenToldTo) {
    const TemporaryFolder folder;
    const Ran ran =
        run_assay({"imatrix", "--model", demo_file(), "-i", "-", "-o", folder.path() / "importance",
                   "--context", "4", "--max-items", "2", "--json"},
                  texts);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json summary = Json::parse(ran.output);
    EXPECT_EQ(summary["texts"], 2);
    EXPECT_EQ(summary["cut"], 2);
    EXPECT_EQ(summary["tokens"], 8);
}

TEST(Imatrix, SkipsLinesThatAreNoTexts) {
    const TemporaryFolder folder;
    const std::string to = folder.path() / "importance";
    const Ran ran = run_assay({"imatrix", "--model", demo_file(), "-i", "-", "-o", to},
                              "{\"text\": \"Bread\"}\n{\"text\": 5}\n[\n{\"response\": \"A\"}\n");
    EXPECT_EQ(ran.exit_code, 3);
    for (const char* part :
         {"line 2: text: expected a string, found a number", "line 3: ", "line 4: "})
        EXPECT_NE(ran.errors.find(part), std::string::npos) << part << " is not in " << ran.errors;
    EXPECT_NE(ran.output.find("of 1 texts; 3 lines skipped"), std::string::npos) << ran.output;
    EXPECT_EQ(read_importance(to).chunks, 1u);
}

TEST(Imatrix, NamesExpertsThatNobodyChose) {
    const TemporaryFolder folder;
    const std::string to = folder.path() / "importance";
    const Ran ran = run_assay(
        {"imatrix", "--model", data("gguf/c_mixtral_4x_top2/c_mixtral_4x_top2.Q3_K_M.gguf"), "-i",
         "-", "-o", to, "--context", "1", "--json"},
        "{\"text\": \"Bread\"}\n");
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json idle = Json::parse(ran.output).at("idle_experts");  // one token chose two of four
    ASSERT_FALSE(idle.empty());
    EXPECT_EQ(idle[0]["layer"], 0);
    EXPECT_EQ(idle[0]["experts"].size(), 2u);
    EXPECT_NE(ran.errors.find("warning: layer 0: no token chose expert "), std::string::npos)
        << ran.errors;
}

TEST(Imatrix, RefusesBeforeItWorks) {
    const TemporaryFolder folder;
    const std::string there = folder.write("there", "precious"),
                      items = folder.write("items.jsonl", texts);
    struct Case {
        std::string input, output, problem;
        int exit_code;
    };
    for (const auto& [input, output, problem, exit_code] :
         {Case{items, there, "--force replaces it", 1},
          Case{items, items, "both --input and -o", 2},
          Case{items, folder.path() / "none" / "file", "no folder that can be written to", 1},
          Case{items, "/dev/null", "no regular file", 1},
          Case{folder.path() / "none", folder.path() / "new", "none", 1},
          Case{folder.write("empty", "\n"), folder.path() / "new", "no texts in", 1}}) {
        const Ran ran =
            run_assay({"imatrix", "--model", demo_file(), "-i", input, "-o", output, "-q"});
        EXPECT_EQ(ran.exit_code, exit_code) << ran.errors;
        EXPECT_NE(ran.errors.find(problem), std::string::npos) << problem << ": " << ran.errors;
        EXPECT_EQ(ran.output, "");
    }
    EXPECT_EQ(read_file(there), "precious");
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "new"));
}

}  // namespace assay::test
