#include "grader/eval/benchmarks.h"

#include <algorithm>
#include <array>

#include "runtime/error.h"

namespace assay::eval {
namespace {

constexpr std::string_view prometheus_eval = "prometheus-eval, eval/benchmark/data";
constexpr std::string_view authors =
    "prometheus-eval names it in eval/benchmark/data_loader.py; ask there";

// Counts, layouts and modes: Prometheus 2 (arXiv 2405.01535) and prometheus-eval's data_loader.py;
// BiGGen-Bench: run_response_eval.py.
constexpr std::array<Benchmark, 9> table{{
    {.name = "vicuna",
     .title = "Vicuna Bench",
     .measures = "scores of 80 questions' answers, each by its own rubric, against GPT-4's",
     .file = "vicuna_eval.json",
     .source = prometheus_eval,
     .records = 320,
     .dataset = "prometheus-prompts",
     .mode = Mode::absolute,
     .headline = "gpt4.pearson",
     .groups = ""},
    {.name = "mt-bench",
     .title = "MT-Bench",
     .measures = "scores of answers in dialogues of two turns, against GPT-4's",
     .file = "mt_bench_eval.json",
     .source = prometheus_eval,
     .records = 320,
     .dataset = "prometheus-prompts",
     .mode = Mode::absolute,
     .headline = "gpt4.pearson",
     .groups = ""},
    {.name = "flask",
     .title = "FLASK",
     .measures = "scores of answers by 12 fine-grained skills, against people's and GPT-4's",
     .file = "flask_eval.json",
     .source = prometheus_eval,
     .records = 2000,
     .dataset = "prometheus-prompts",
     .mode = Mode::absolute,
     .headline = "human.pearson",
     .groups = ""},
    {.name = "feedback-bench",
     .title = "Feedback Bench",
     .measures = "scores by 200 rubrics that the judges' training has not seen, against GPT-4's",
     .file = "feedback_collection_ood_test.json",
     .source = authors,
     .records = 1000,
     .dataset = "prometheus-prompts",
     .mode = Mode::absolute,
     .headline = "gpt4.pearson",
     .groups = "",
     .exact = true},
    {.name = "hhh",
     .title = "HHH Alignment",
     .measures = "which answer is more helpful, honest or harmless, against people's choice",
     .file = "hhh_alignment_eval.json",
     .source = prometheus_eval,
     .records = 221,
     .dataset = "prometheus-pairs",
     .mode = Mode::relative,
     .headline = "r2r.accuracy",
     .groups = "source"},
    {.name = "mt-bench-human",
     .title = "MT-Bench Human Judgment",
     .measures = "which answer people prefer in dialogues of two turns; they may call it a tie",
     .file = "mt_bench_human_judgement_eval.json",
     .source = prometheus_eval,
     .records = 3360,
     .dataset = "prometheus-pairs",
     .mode = Mode::relative,
     .headline = "r2r.accuracy",
     .groups = ""},
    {.name = "autoj",
     .title = "Auto-J Eval",
     .measures = "which answer people prefer in 58 scenarios; they may call it a tie",
     .file = "autoj_pairwise.json",
     .source = prometheus_eval,
     .records = 1392,
     .dataset = "auto-j",
     .mode = Mode::relative,
     .headline = "r2r.accuracy",
     .groups = "",
     .blank_rubric = true},
    {.name = "preference-bench",
     .title = "Preference Bench",
     .measures = "which answer is better by rubrics that the judges' training has not seen",
     .file = "preference_collection_ood_test.json",
     .source = authors,
     .records = 2000,
     .dataset = "prometheus-pairs",
     .mode = Mode::relative,
     .headline = "r2r.accuracy",
     .groups = "",
     .transitive = true},
    {.name = "biggen",
     .title = "BiGGen-Bench",
     .measures = "a model's answers: their mean score in nine capabilities",
     .file = "biggen_bench.json",
     .source = "prometheus-eval, BiGGen-Bench: a model's responses, under a name of your own",
     .records = 0,
     .dataset = "biggen",
     .mode = Mode::absolute,
     .headline = "human.pearson",
     .groups = "capability",
     .means = true,
     .system_line = true,
     .left_out = "llm_judge",
     .runs = 5,
     .context = 8192},
}};

std::string all_names() {
    std::string names;
    for (const Benchmark& benchmark : table)
        names.append(names.empty() ? "" : ", ").append(benchmark.name);
    return names;
}

}  // namespace

std::string_view name(Protocol protocol) {
    constexpr std::array<std::string_view, 3> names{"a2a", "a2r", "r2r"};
    return names.at(static_cast<std::size_t>(protocol));
}

std::string_view describe(Protocol protocol) {
    constexpr std::array<std::string_view, 3> texts{
        "direct assessment", "direct assessment of both responses", "pairwise ranking"};
    return texts.at(static_cast<std::size_t>(protocol));
}

std::vector<Protocol> Benchmark::protocols() const {
    if (mode == Mode::absolute) return {Protocol::a2a};
    return {Protocol::a2r, Protocol::r2r};
}

std::span<const Benchmark> benchmarks() { return table; }

const Benchmark& benchmark_named(std::string_view name) {
    const auto* const found = std::ranges::find(table, name, &Benchmark::name);
    if (found == table.end())
        throw Error("benchmark \"" + std::string(name) + "\": there are " + all_names());
    return *found;
}

const Benchmark* benchmark_of_file(std::string_view file) {
    const auto* const found = std::ranges::find(table, file, &Benchmark::file);
    return found == table.end() ? nullptr : found;
}

}  // namespace assay::eval
