// `assay grade -o`: a run that was cut off, and what is written at the end.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"
#include "tests/support/golden.h"
#include "tests/support/records.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

std::string model() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

std::string item(const std::string& id, const std::string& instruction,
                 const std::string& response) {
    return Json{{"id", id},
                {"instruction", instruction},
                {"response", response},
                {"rubric", "helpfulness"}}
               .dump() +
           "\n";
}

std::string items(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i)
        lines += item("item" + std::to_string(i), "Why does bread rise?",
                      "Yeast makes gas " + std::to_string(i * 7919) + " times.");
    return lines;
}

std::string pairs(int count) {
    std::string text;
    for (const std::string& line : lines(items(count))) {
        Json pair = Json::parse(line);
        pair["response_A"] = pair["response"];
        pair["response_B"] = "Sorry, I cannot help with that.";
        pair.erase("response");
        text += pair.dump() + "\n";
    }
    return text;
}

std::vector<Json> read_lines(const std::filesystem::path& path) {
    std::vector<Json> all;
    for (const std::string& line : lines(read_file(path))) all.push_back(Json::parse(line));
    return all;
}

// By id; no item may have two.
std::map<std::string, Json> records(const std::filesystem::path& path) {
    std::map<std::string, Json> by_id;
    for (const Json& line : read_lines(path)) {
        if (line.contains("assay")) continue;
        EXPECT_TRUE(by_id.emplace(line["id"], without_costs(line)).second) << line["id"];
    }
    return by_id;
}

std::vector<std::string> grade(const std::filesystem::path& input,
                               const std::filesystem::path& output,
                               const std::vector<std::string>& more = {}, int most_tokens = 24) {
    std::vector<std::string> arguments{"grade",
                                       "--model",
                                       model(),
                                       "-i",
                                       input,
                                       "-o",
                                       output,
                                       "--max-new-tokens",
                                       std::to_string(most_tokens)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

struct Cut {
    const char* name;
    std::string (*items)(int count);
    std::vector<std::string> flags;
    friend void PrintTo(const Cut& cut, std::ostream* out) { *out << cut.name; }
};
class CutOff : public testing::TestWithParam<Cut> {};

INSTANTIATE_TEST_SUITE_P(GradeJournal, CutOff,
                         testing::Values(Cut{"absolute", items, {"--temperature", "0.8"}},
                                         Cut{"samples_in_both_orders",
                                             pairs,
                                             {"--temperature", "0.8", "--samples", "2", "--orders",
                                              "both"}}),
                         [](const auto& test) { return test.param.name; });

TEST_P(CutOff, IsTakenUpAfterAKill) {
    using namespace std::chrono;
    std::vector<std::string> flags{"--sequences", "4", "--batch-invariant"};
    flags.insert(flags.end(), GetParam().flags.begin(), GetParam().flags.end());
    constexpr int count = 20;
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", GetParam().items(count));
    const auto whole = folder.path() / "whole.jsonl", killed = folder.path() / "killed.jsonl";
    const Ran uninterrupted = run_assay(grade(input, whole, flags));
    ASSERT_EQ(uninterrupted.exit_code, 0) << uninterrupted.errors;
    ASSERT_EQ(records(whole).size(), std::size_t{count});

    // A run whose input stays open has not ended when it is killed.
    std::size_t written = 0;
    for (const int known : {count / 3, 2 * count / 3}) {
        Running run(grade("-", killed, flags));
        run.write(GetParam().items(known));
        const std::size_t enough = written + 3;
        const auto patience = steady_clock::now() + 120s;
        while (written < enough && steady_clock::now() < patience) {
            std::this_thread::sleep_for(5ms);
            if (std::filesystem::exists(killed)) written = lines(read_file(killed)).size();
        }
        run.kill();
        ASSERT_GE(written, enough) << "of " << known << " items";
    }
    const Ran rest = run_assay(grade(input, killed, flags));
    EXPECT_EQ(rest.exit_code, 0) << rest.errors;
    EXPECT_NE(rest.errors.find("before this run"), std::string::npos) << rest.errors;
    EXPECT_EQ(records(killed), records(whole));

    // Nothing is left to do, and no device is opened for it.
    const std::string content = read_file(killed);
    flags.insert(flags.end(), {"--device", "no such device"});
    const Ran again = run_assay(grade(input, killed, flags));
    EXPECT_EQ(again.exit_code, 0) << again.errors;
    EXPECT_NE(again.errors.find("graded 20, unscored 0"), std::string::npos) << again.errors;
    EXPECT_EQ(read_file(killed), content);
}

TEST(GradeJournal, AMemoryCapChangesNoRecord) {
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", items(12));
    const auto free = folder.path() / "free.jsonl", capped = folder.path() / "capped.jsonl";
    // Texts this random end by their length alone. 2 MiB hold two of them, and a few are let in.
    std::vector<std::string> flags{"--temperature", "2",  "--context",        "512",
                                   "--sequences",   "16", "--batch-invariant"};
    const Ran usual = run_assay(grade(input, free, flags, 80));
    EXPECT_EQ(usual.exit_code, 0) << usual.errors;
    EXPECT_EQ(usual.errors.find("gave its memory to others"), std::string::npos) << usual.errors;
    flags.insert(flags.end(), {"--kv-memory", "2MiB"});
    const Ran ran = run_assay(grade(input, capped, flags, 80));
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.errors.find("gave its memory to others"), std::string::npos) << ran.errors;
    EXPECT_EQ(records(capped), records(free));
}

TEST(GradeJournal, SixtyFourTextsAtOnceAreAsEachAlone) {
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", items(64));
    const auto together = folder.path() / "64.jsonl", alone = folder.path() / "1.jsonl";
    std::vector<std::string> flags{"--temperature",     "0.8",         "--context", "512",
                                   "--batch-invariant", "--sequences", "64"};
    const Ran ran = run_assay(grade(input, together, flags, 6));
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    flags.back() = "1";
    EXPECT_EQ(run_assay(grade(input, alone, flags, 6)).exit_code, 0);
    EXPECT_EQ(records(together).size(), 64u);
    EXPECT_EQ(records(together), records(alone));
}

TEST(GradeJournal, RefusesOtherSettings) {
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", items(1)), output = folder.path() / "out.jsonl";
    ASSERT_EQ(run_assay(grade(input, output)).exit_code, 0);
    const Json header = read_lines(output)[0]["assay"];
    for (const char* key : {"version", "model", "model_sha256", "quant", "kv", "context", "profile",
                            "parser", "sampling", "max_new_tokens", "seed", "samples", "orders",
                            "too_long", "verdict_only", "batch_invariant"})
        EXPECT_TRUE(header.contains(key)) << key;
    for (const auto& [flag, value, what] :
         {std::tuple{"--seed", "4", "seed is 0 in the file, 4 in this run"},
          {"--top-p", "0.9", "sampling.top_p is 1.0 in the file, 0.9 in this run"},
          {"--profile", "lib-fastchat", "profile is \"hf-card\" in the file"},
          {"--too-long", "truncate-middle", "too_long is \"refuse\" in the file"},
          {"--activations", "int8", "activations is"},
          {"--kv", "f32", "kv is"}}) {
        const Ran other = run_assay(grade(input, output, {flag, value}));
        EXPECT_EQ(other.exit_code, 1);
        ASSERT_EQ(lines(other.errors).size(), 1u) << other.errors;
        EXPECT_NE(other.errors.find(what), std::string::npos) << other.errors;
    }
    // Another model of the same name.
    folder.write("tiny-judge-Q8_0.gguf", read_file(model()) + "x");
    auto arguments = grade(input, output);
    arguments[2] = folder.path() / "tiny-judge-Q8_0.gguf";
    const Ran other = run_assay(arguments);
    EXPECT_EQ(other.exit_code, 1);
    EXPECT_NE(other.errors.find("model_sha256 is"), std::string::npos) << other.errors;
    EXPECT_EQ(run_assay(grade(input, output, {"--seed", "4", "--force"})).exit_code, 0);
}

TEST(GradeJournal, AppliesACalibrationAndHoldsItsHash) {
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", items(1)), output = folder.path() / "out.jsonl";
    const auto calibration = [](const char* profile, double temperature) {
        return Json{{"calibration", 1},
                    {"method", "temperature"},
                    {"label", "label"},
                    {"profile", profile},
                    {"judge", {{"model", "another"}, {"quant", "f16"}}},
                    {"folds", 5},
                    {"seed", 0},
                    {"absolute", {{"n", 20}, {"temperature", temperature}}}}
            .dump();
    };
    const std::string file = folder.write("calibration.json", calibration("hf-card", 3)),
                      other = folder.write("other.json", calibration("hf-card", 2)),
                      of_profile = folder.write("profile.json", calibration("p1", 2));
    const Ran ran = run_assay(grade(input, output, {"--calibration", file}));
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.errors.find("was fitted on another f16"), std::string::npos) << ran.errors;
    const auto records = read_lines(output);
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0]["assay"]["calibration"].get<std::string>().size(), 64u);
    const Json& calibrated = records[1]["calibrated"];
    EXPECT_LT(calibrated["probs"].at(records[1]["score"].dump()), records[1]["confidence"]);
    EXPECT_TRUE(calibrated["score"].is_number());
    const Ran person =
        run_assay({"grade", "--model", model(), "--instruction", "Why?", "--response", "So.",
                   "--rubric", "honesty", "--verdict-only", "--text", "--calibration", file});
    EXPECT_TRUE(std::regex_search(
        person.output, std::regex("expected [1-5]\\.\\d\\d, calibrated [1-5]\\.\\d\\d,")))
        << person.output;

    for (const auto& [flags, named] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--calibration", other}, "calibration is"},
             {{}, "calibration is"},
             {{"--calibration", of_profile}, "profile is p1 in the file, hf-card in this run"},
             {{"--calibration", input}, "no calibration"},
             {{"--calibration", "no/such/file"}, "no/such/file"}}) {
        auto arguments = flags;
        arguments.emplace_back("-q");
        const Ran refused = run_assay(grade(input, output, arguments));
        EXPECT_EQ(refused.exit_code, 1) << named;
        ASSERT_EQ(lines(refused.errors).size(), 1u) << refused.errors;
        EXPECT_NE(refused.errors.find(named), std::string::npos) << refused.errors;
    }
}

TEST(GradeJournal, RetriesWhatDidNotFit) {
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", "{\"id\": \"bad\"}\n" + items(1)),
               output = folder.path() / "out.jsonl";
    EXPECT_EQ(run_assay(grade(input, output, {"--context", "64"})).exit_code, 3);
    EXPECT_EQ(run_assay(grade(input, output, {"--context", "64"})).exit_code, 3);
    const Ran retry = run_assay(grade(input, output, {"--retry", "unscored"}));
    EXPECT_EQ(retry.exit_code, 3);
    EXPECT_NE(retry.errors.find("graded 1, unscored 1"), std::string::npos) << retry.errors;
    std::vector<std::string> seen;
    for (const Json& line : read_lines(output))
        seen.push_back(line.contains("assay") ? "header" : line.value("reason", "graded"));
    EXPECT_EQ(seen, (std::vector<std::string>{"header", "invalid_item", "context_exceeded",
                                              "header", "graded"}));
}

TEST(GradeJournal, WritesTheBestAndASummary) {
    const TemporaryFolder folder;
    const auto input =
        folder.write("items.jsonl",
                     item("a", "Why does bread rise?", "Sorry, I cannot help with that.") +
                         item("b", "Why does bread rise?", "Yeast eats sugar and gives off gas.") +
                         item("c", "Why is the sky blue?", "Air scatters blue light most."));
    const auto output = folder.path() / "out.jsonl", best = folder.path() / "best.jsonl",
               summary = folder.path() / "summary.json";
    const auto arguments =
        grade(input, output, {"--best", best, "--summary", summary, "--verdict-only"});
    const Ran ran = run_assay(arguments);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;

    std::map<std::string, double> expected;
    for (const Json& line : read_lines(output))
        if (line.contains("id")) expected[line["id"]] = line["expected_score"];
    const auto lines = read_lines(best);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0]["id"], expected["b"] > expected["a"] ? "b" : "a");
    EXPECT_EQ(lines[0]["expected_score"], std::max(expected["a"], expected["b"]));
    EXPECT_EQ(lines[0]["of"], 2);
    EXPECT_EQ(lines[1]["response"], "Air scatters blue light most.");
    const Json counted = read_json(summary);
    EXPECT_EQ(counted["items"]["graded"], 3);
    EXPECT_GT(counted["this_run"]["prompt_tokens"], 0);

    // The same from the records of the run before.
    const std::string before = read_file(best);
    std::filesystem::remove(best);
    EXPECT_EQ(run_assay(arguments).exit_code, 0);
    EXPECT_EQ(read_file(best), before);
    EXPECT_EQ(read_json(summary)["items"]["before_this_run"], 3);
}

// Who asks for one record before writing the next item gets it.
TEST(GradeJournal, AnswersEachItemOfAConversation) {
    const Running run({"grade", "--model", model(), "-i", "-", "--max-new-tokens", "12", "-q"});
    for (const char* id : {"first", "second"}) {
        run.write(item(id, "Why?", "So."));
        const std::string line = run.read_line();
        ASSERT_NE(line, "") << "no answer to " << id;
        EXPECT_EQ(Json::parse(line)["id"], id);
    }
}

}  // namespace
}  // namespace assay::test
