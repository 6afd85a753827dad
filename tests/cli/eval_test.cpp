// `assay eval` with the demo judge, which is none: on records of the published layouts.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "grader/datasets/open.h"
#include "grader/eval/questions.h"
#include "tests/cli/program.h"
#include "tests/model/test_files.h"
#include "tests/support/golden.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

const std::vector<std::string> quick{"--model",          data("demo-judge/tiny-judge-Q8_0.gguf"),
                                     "--max-new-tokens", "24",
                                     "--redraws",        "1",
                                     "--orders",         "ab"};

Ran run_eval(std::vector<std::string> arguments, const std::vector<std::string>& more = {}) {
    arguments.insert(arguments.begin(), "eval");
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_assay(arguments);
}

std::map<std::string, Json> figures_of(const Json& evaluation) {
    std::map<std::string, Json> figures;
    for (const Json& figure : evaluation["figures"]) figures[figure["metric"]] = figure;
    return figures;
}

Json evaluations_of(const Ran& ran) { return Json::parse(ran.output)["evaluations"]; }

TEST(Eval, ListsTheBenchmarks) {
    const Ran ran = run_eval({"--list"});
    EXPECT_EQ(ran.exit_code, 0);
    for (const eval::Benchmark& benchmark : eval::benchmarks()) {
        EXPECT_NE(ran.output.find(benchmark.name), std::string::npos) << benchmark.name;
        EXPECT_NE(ran.output.find(benchmark.file), std::string::npos) << benchmark.file;
    }
}

TEST(Eval, JudgesEveryBenchmarkOfAFolder) {
    const TemporaryFolder folder;
    const auto records = folder.path() / "records";
    const Ran ran =
        run_eval({"--suite", data("eval"), "-o", records, "--json", "--runs", "2"}, quick);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json evaluations = evaluations_of(ran);
    ASSERT_EQ(evaluations.size(), eval::benchmarks().size());
    for (const Json& evaluation : evaluations) {
        const eval::Benchmark& benchmark =
            eval::benchmark_named(evaluation["benchmark"].get<std::string>());
        EXPECT_EQ(evaluation["records_read"], 3) << benchmark.name;
        EXPECT_EQ(evaluation["records_left_out"], benchmark.name == "biggen" ? 1 : 0);
        EXPECT_EQ(evaluation["counts"]["unscored"], 0) << benchmark.name;
        EXPECT_EQ(evaluation["counts"]["missing"], 0) << benchmark.name;
        EXPECT_GE(evaluation["counts"]["texts"], benchmark.mode == Mode::absolute ? 6 : 9);
        const auto figures = figures_of(evaluation);
        if (benchmark.mode == Mode::absolute) {
            EXPECT_TRUE(figures.contains("alpha")) << benchmark.name;
            EXPECT_EQ(figures.contains("gpt4.pearson"), benchmark.name != "biggen");
            EXPECT_EQ(figures.contains("human.pearson"), benchmark.name == "flask");
            EXPECT_EQ(figures.contains("gpt4.accuracy"), benchmark.name == "feedback-bench");
            EXPECT_EQ(figures.contains("score.planning"), benchmark.name == "biggen");
        } else {
            const bool ties = benchmark.name == "mt-bench-human" || benchmark.name == "autoj";
            EXPECT_EQ(figures.at("r2r.accuracy")["n"], ties ? 2 : 3) << benchmark.name;
            EXPECT_EQ(figures.at("a2r.accuracy")["n"], ties ? 2 : 3) << benchmark.name;
            EXPECT_EQ(figures.contains("a2r.accuracy_with_ties"), ties) << benchmark.name;
            EXPECT_TRUE(figures.contains("format_gap")) << benchmark.name;
            EXPECT_EQ(figures.contains("r2r.accuracy.helpful"), benchmark.name == "hhh");
            EXPECT_EQ(figures.contains("r2r.transitivity"), benchmark.name == "preference-bench");
        }
        // The same from the records.
        const std::string name(benchmark.name);
        const Ran again = run_eval({"--benchmark", name, "--data", evaluation["data"], "--records",
                                    records / (name + ".jsonl"), "--json"});
        EXPECT_EQ(again.exit_code, 0) << again.errors;
        EXPECT_EQ(evaluations_of(again)[0]["figures"], evaluation["figures"]) << name;
        EXPECT_EQ(evaluations_of(again)[0]["counts"], evaluation["counts"]) << name;
    }
}

TEST(Eval, GoesOnAfterAKillToTheSameFigures) {
    const TemporaryFolder folder;
    const auto whole = folder.path() / "whole.jsonl", killed = folder.path() / "killed.jsonl";
    const auto arguments = [&](const std::filesystem::path& output) {
        std::vector<std::string> all{"eval",
                                     "--benchmark",
                                     "hhh",
                                     "--data",
                                     data("eval") / "hhh_alignment_eval.json",
                                     "-o",
                                     output,
                                     "--json",
                                     "--sequences",
                                     "2"};
        all.insert(all.end(), quick.begin(), quick.end());
        return all;
    };
    const Ran uninterrupted = run_assay(arguments(whole));
    ASSERT_EQ(uninterrupted.exit_code, 0) << uninterrupted.errors;
    {
        Running run(arguments(killed));
        const auto records = [&] {
            return std::filesystem::exists(killed) ? lines(read_file(killed)).size() : 0;
        };
        for (int i = 0; i < 6000 && records() < 4; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        run.kill();
    }
    ASSERT_LT(lines(read_file(killed)).size(), lines(read_file(whole)).size()) << "killed too late";
    const Ran rest = run_assay(arguments(killed));
    EXPECT_EQ(rest.exit_code, 0) << rest.errors;
    EXPECT_EQ(evaluations_of(rest)[0]["figures"], evaluations_of(uninterrupted)[0]["figures"]);
    EXPECT_EQ(evaluations_of(rest)[0]["counts"], evaluations_of(uninterrupted)[0]["counts"]);
}

TEST(Eval, KeepsRecordsInMemoryWithoutAFile) {
    const Ran ran = run_eval({"--benchmark", "vicuna", "--data", data("eval") / "vicuna_eval.json",
                              "--first", "2", "--runs", "1", "-q"},
                             quick);
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.output.find("gpt4.pearson"), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("Prometheus-2-8x7B"), std::string::npos) << ran.output;
    EXPECT_EQ(ran.errors, "");
}

// A journal's header, then its records.
std::vector<Json> journal(const std::filesystem::path& path) {
    std::vector<Json> all;
    for (const std::string& line : lines(read_file(path))) all.push_back(Json::parse(line));
    return all;
}

TEST(Eval, OneBadFileLeavesTheOthers) {
    const TemporaryFolder folder;
    const auto suite = folder.path() / "suite", records = folder.path() / "records",
               hhh = suite / "hhh_alignment_eval.json";
    std::filesystem::create_directory(suite);
    std::filesystem::copy(data("eval") / "vicuna_eval.json", suite);
    std::ofstream(hhh) << "[]";
    std::vector<std::string> arguments{
        "--suite", suite,   "--model",        data("demo-judge/tiny-judge-Q8_0.gguf"),
        "-o",      records, "--verdict-only", "--json"};
    const Ran first = run_eval(arguments);
    EXPECT_EQ(first.exit_code, 1);
    EXPECT_NE(first.errors.find("hhh_alignment_eval.json: no records"), std::string::npos)
        << first.errors;
    ASSERT_EQ(evaluations_of(first).size(), 1u);
    EXPECT_EQ(evaluations_of(first)[0]["benchmark"], "vicuna");
    EXPECT_EQ(Json::parse(first.output)["failed"][0]["benchmark"], "hhh");

    // A journal of other settings is one too.
    std::filesystem::copy_file(data("eval") / "hhh_alignment_eval.json", hhh,
                               std::filesystem::copy_options::overwrite_existing);
    const Ran second = run_eval(arguments, {"--seed", "5"});
    EXPECT_EQ(second.exit_code, 1);
    EXPECT_NE(second.errors.find("seed is 0 in the file, 5 in this run"), std::string::npos)
        << second.errors;
    ASSERT_EQ(evaluations_of(second).size(), 1u);
    EXPECT_EQ(evaluations_of(second)[0]["benchmark"], "hhh");
}

TEST(Eval, FiguresOfPairsAreThoseOfTheRecordsItWrote) {
    const TemporaryFolder folder;
    const auto output = folder.path() / "hhh.jsonl";
    const Ran ran =
        run_eval({"--benchmark", "hhh", "--data", data("eval") / "hhh_alignment_eval.json",
                  "--model", data("demo-judge/tiny-judge-Q8_0.gguf"), "-o", output,
                  "--verdict-only", "--json", "--mode", "r2r"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    double right = 0, right_in_both = 0, consistent = 0, pairs = 0;
    for (const Json& record : journal(output)) {
        if (!record.contains("orders")) continue;
        ++pairs;
        right += record["orders"]["ab"]["verdict"] == record["label"];
        right_in_both += record["verdict"] == record["label"];
        consistent += record["orders"]["ab"]["verdict"] == record["orders"]["ba"]["verdict"];
    }
    EXPECT_EQ(pairs, 3);
    const auto figures = figures_of(evaluations_of(ran)[0]);
    EXPECT_NEAR(figures.at("r2r.accuracy")["value"].get<double>(), right / pairs, 1e-12);
    EXPECT_NEAR(figures.at("r2r.both_orders_accuracy")["value"].get<double>(),
                right_in_both / pairs, 1e-12);
    EXPECT_NEAR(figures.at("r2r.consistency")["value"].get<double>(), consistent / pairs, 1e-12);
}

TEST(Eval, AsksAsTheBenchmarkSays) {
    const TemporaryFolder folder;
    const auto settings_of = [&](const std::string& name, const std::vector<std::string>& more) {
        const auto output = folder.path() / (name + ".jsonl");
        std::vector<std::string> arguments{"--benchmark",
                                           name,
                                           "--data",
                                           data("eval") / eval::benchmark_named(name).file,
                                           "-o",
                                           output,
                                           "--first",
                                           "1",
                                           "--model",
                                           data("demo-judge/tiny-judge-Q8_0.gguf"),
                                           "--max-new-tokens",
                                           "4",
                                           "--redraws",
                                           "0"};
        const Ran ran = run_eval(arguments, more);
        EXPECT_EQ(ran.exit_code, 0) << ran.errors;
        return journal(output)[0]["assay"];
    };
    EXPECT_EQ(settings_of("vicuna", {})["samples"], 3);
    EXPECT_EQ(settings_of("biggen", {})["samples"], 5);
    EXPECT_EQ(settings_of("flask", {"--temperature", "0"})["samples"], 1) << "nothing is drawn";
    EXPECT_EQ(settings_of("hhh", {"--temperature", "0", "--mode", "r2r"})["samples"], 1);
}

TEST(Eval, RefusesOptionsWithoutUse) {
    const std::vector<std::string> records{"--benchmark", "hhh",       "--data",
                                           "hhh.json",    "--records", "hhh.jsonl"},
        judged{"--benchmark", "vicuna", "--data", "v.json", "--model", "demo"};
    struct Case {
        std::vector<std::string> arguments, more;
        std::string named;
    };
    for (const auto& [arguments, more, named] :
         {Case{records, {"-o", "x.jsonl"}, "--output has no use"},
          {records, {"--mode", "r2r"}, "--mode has no use"},
          {records, {"--repaired"}, "--repaired has no use"},
          {records, {"--seed", "3"}, "--seed has no use"},
          {judged, {"--runs", "2", "--temperature", "0"}, "--runs 2 with temperature 0"},
          {judged, {"--runs", "2", "--verdict-only"}, "--runs 2 with --verdict-only"},
          {{"--suite", ".", "--model", "demo"}, {"--summary", "s.json"}, "--summary is of one"}}) {
        const Ran ran = run_eval(arguments, more);
        EXPECT_EQ(ran.exit_code, 2) << named;
        EXPECT_NE(ran.errors.find(named), std::string::npos) << ran.errors;
    }
}

TEST(Eval, NamesWhatIsWrongWithRecords) {
    const TemporaryFolder folder;
    const auto output = folder.path() / "vicuna.jsonl";
    const std::vector<std::string> vicuna{"--benchmark", "vicuna", "--data",
                                          data("eval") / "vicuna_eval.json"};
    ASSERT_EQ(run_eval(vicuna, {"--model", data("demo-judge/tiny-judge-Q8_0.gguf"), "-o", output,
                                "--verdict-only"})
                  .exit_code,
              0);
    const auto expect_error = [&](const auto& change, const std::string& what) {
        auto all = journal(output);
        change(all);
        std::string text;
        for (const Json& line : all) text += line.dump() + "\n";
        const auto changed = folder.write("changed.jsonl", text);
        const Ran ran = run_eval(vicuna, {"--records", changed});
        EXPECT_EQ(ran.exit_code, 1);
        EXPECT_NE(ran.errors.find("changed.jsonl: " + what), std::string::npos) << ran.errors;
    };
    expect_error([](auto& all) { all[0]["assay"]["seed"] = "x"; }, "line 1: seed is \"x\"");
    expect_error(
        [](auto& all) {
            all[2]["samples"] = {{{"score", nullptr}}};
        },
        "line 3: a text without a number as its score");
    expect_error([](auto& all) { all[1]["item_hash"] = 7; },
                 "line 2: item_hash: expected a string");
}

TEST(Eval, RefusesRecordsOfAnotherBenchmark) {
    const TemporaryFolder folder;
    const auto records =
        folder.write("records.jsonl", R"({"assay":{"journal":1,"benchmark":"flask","seed":0}})"
                                      "\n");
    const Ran ran = run_eval({"--benchmark", "vicuna", "--data", data("eval") / "vicuna_eval.json",
                              "--records", records});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.errors.find("records of \"flask\", not of vicuna"), std::string::npos)
        << ran.errors;
}

// --- the published files, where they are at hand

std::vector<Item> published_records(const std::string& name, const std::string& file) {
    const auto path = shared_data("benchmarks/" + file);
    if (!std::filesystem::exists(path)) return {};
    const auto source =
        open_dataset(path, {.name = std::string(eval::benchmark_named(name).dataset)});
    std::vector<Item> items;
    while (auto item = source->next()) items.push_back(std::get<Item>(*item));
    return items;
}

#define REQUIRE_PUBLISHED(items) \
    if ((items).empty()) GTEST_SKIP() << "the published file is not there"

// What the published code sends for a record: its instruction, stripped.
std::string published_prompt(const Json& record) {
    std::string prompt = record["instruction"];
    prompt.erase(prompt.find_last_not_of(" \n") + 1);
    const Profile& paper = profile_named("paper-eval");
    return std::string(paper.before_system) + std::string(paper.texts[0].system) +
           std::string(paper.before_user) + prompt + std::string(paper.after_user);
}

TEST(EvalPublishedFiles, VicunaPromptsAreTheirBytes) {
    const auto items = published_records("vicuna", "vicuna_eval.json");
    REQUIRE_PUBLISHED(items);
    const eval::Benchmark& vicuna = eval::benchmark_named("vicuna");
    ASSERT_EQ(items.size(), vicuna.records);
    const Json records = read_json(shared_data("benchmarks/vicuna_eval.json"));
    for (std::size_t i = 0; i < items.size(); ++i) {
        const Item item = question(vicuna, items[i], eval::Protocol::a2a, false);
        EXPECT_EQ(render(profile_named("paper-eval"), item).text, published_prompt(records[i]))
            << "record " << i;
        EXPECT_EQ(item.label.value().scores.at("gpt4").size(), 3u);
    }
}

TEST(EvalPublishedFiles, AutoJHasItsLabels) {
    const auto items = published_records("autoj", "autoj_pairwise.json");
    REQUIRE_PUBLISHED(items);
    ASSERT_EQ(items.size(), 1392u);
    std::map<bool, int> first_is_better;
    int ties = 0;
    for (const Item& item : items) {
        ties += eval::is_tie(item);
        if (!eval::is_tie(item)) ++first_is_better[eval::chosen_is_a(item)];
    }
    EXPECT_EQ(ties, 373);
    EXPECT_EQ(first_is_better[true] + first_is_better[false], 520 + 499);
    EXPECT_NEAR(first_is_better[true], (520 + 499) / 2, 80);  // five deviations of a coin
}

TEST(EvalPublishedFiles, HhhPairsShareTheirInstruction) {
    const auto items = published_records("hhh", "hhh_alignment_eval.first24.json");
    REQUIRE_PUBLISHED(items);
    ASSERT_EQ(items.size(), 24u);
    for (const Item& item : items) {
        EXPECT_FALSE(item.group.value_or("").empty());
        EXPECT_FALSE(item.reference_answer);
        EXPECT_TRUE(item.rubric.has_levels());
    }
}

}  // namespace
}  // namespace assay::test
