#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "grader/cli/commands.h"
#include "grader/cli/eval_options.h"
#include "grader/cli/grade_items.h"
#include "grader/cli/loaded_judge.h"
#include "grader/cli/terminal.h"
#include "grader/datasets/open.h"
#include "grader/eval/evaluation.h"
#include "grader/item_source.h"
#include "grader/results.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t published_context = 4900;  // prometheus-eval's max_model_len

// The records of a benchmark's file.
struct Records {
    std::vector<Item> items;
    std::size_t bad = 0;
};

void warn(const EvalOptions& options, const std::string& text) {
    if (!options.grading.run.quiet) std::fprintf(stderr, "warning: %s\n", harmless(text).c_str());
}

Records read_records(const EvalOptions& options, const BenchmarkData& data, std::uint64_t seed) {
    const eval::Benchmark& benchmark = *data.benchmark;
    const auto source = open_dataset(
        data.path, {.name = std::string(benchmark.dataset), .seed = seed, .defaults = {}});
    Records records;
    while (options.first == 0 || records.items.size() + records.bad < options.first) {
        auto next = source->next();
        if (!next) break;
        if (const auto* bad = std::get_if<BadItem>(&*next)) {
            warn(options, data.path + ": " + bad->what());
            ++records.bad;
            continue;
        }
        records.items.push_back(std::get<Item>(*std::move(next)));
        if (const Mode mode = records.items.back().mode; mode != benchmark.mode)
            throw Error(data.path + ": record " + records.items.back().id.text + " is " +
                        std::string(name(mode)) + ", those of " + std::string(benchmark.name) +
                        " are " + std::string(name(benchmark.mode)));
    }
    if (records.items.empty()) throw Error(data.path + ": no records");
    if (benchmark.records > 0 && records.items.size() != benchmark.records)
        warn(options, data.path + " has " + std::to_string(records.items.size()) +
                          " records that can be used, as published there are " +
                          std::to_string(benchmark.records) +
                          ": the figures are not those of the benchmark");
    return records;
}

// eval::Questions as the items of a run.
class QuestionSource : public ItemSource {
public:
    explicit QuestionSource(eval::Questions& questions) : questions_(questions) {}

    std::optional<std::variant<Item, BadItem>> next() override {
        auto question = questions_.next();
        if (!question) return std::nullopt;
        return *std::move(question);
    }
    bool at_hand() override { return questions_.at_hand(); }
    std::optional<std::size_t> count() const override { return questions_.count(); }

private:
    eval::Questions& questions_;
};

// Keeps records in memory.
class KeepingView : public View {
public:
    void show(const Record& record, std::size_t, std::optional<std::size_t>) override {
        lines_ << to_json_line(record) << '\n';
    }
    std::vector<Result> results() { return read_results(lines_, "records"); }

private:
    std::stringstream lines_;
};

// What the header of records says beside what it says of any run.
Journal::Settings header_of(const eval::Benchmark& benchmark, const eval::QuestionOptions& how) {
    Json protocols = Json::array();
    for (const eval::Protocol protocol : how.protocols) protocols.push_back(name(protocol));
    return {{"benchmark", benchmark.name},
            {"modes", protocols},
            {"repaired", how.repaired},
            {"draws", how.draws}};
}

eval::Evaluation evaluate(const EvalOptions& options, const BenchmarkData& data,
                          const Records& records, eval::QuestionOptions how,
                          std::span<const Result> results, std::string judge) {
    const eval::Outcomes outcomes = eval::outcomes_of(*data.benchmark, records.items, how, results);
    return {.benchmark = data.benchmark,
            .judge = std::move(judge),
            .data = data.path,
            .records = records.items.size(),
            .bad_records = records.bad,
            .how = std::move(how),
            .counts = outcomes.counts,
            .figures = eval::figures_of(*data.benchmark, records.items, outcomes.of_records,
                                        options.grading.seed)};
}

std::string records_path(const EvalOptions& options, const eval::Benchmark& benchmark) {
    const std::string& output = options.grading.output;
    if (output.empty() || options.suite.empty()) return output;
    std::filesystem::create_directories(output);
    return (std::filesystem::path(output) / (std::string(benchmark.name) + ".jsonl")).string();
}

eval::Evaluation ask(LoadedJudge& judge, const EvalOptions& options, const BenchmarkData& data) {
    const eval::Benchmark& benchmark = *data.benchmark;
    const Records records = read_records(options, data, options.grading.seed);
    const eval::QuestionOptions how{.protocols = chosen_protocols(options, benchmark),
                                    .repaired = options.repaired,
                                    .draws = options.greedy() ? 1U : 3U};
    GradeOptions grading = options.grading;
    grading.input = data.path;
    grading.output = records_path(options, benchmark);
    grading.samples = benchmark.mode == Mode::absolute ? options.runs : 1;
    GraderOptions grader = grader_options(grading, judge.checkpoint());
    grader.profile = &profile_for(benchmark, *grader.profile, options.repaired);
    grader.redraws = options.greedy() ? 0 : options.redraws;

    eval::Questions questions(benchmark, records.items, how);
    QuestionSource source(questions);
    KeepingView kept;
    grade_items(judge, grading, source,
                {.grading = grader,
                 .settings = header_of(benchmark, how),
                 .view = grading.output.empty() ? &kept : nullptr,
                 .on_graded = [&](const Item& question, std::size_t, const RecordFacts& facts) {
                     questions.answered(question, facts.verdict);
                 }});
    const auto results = grading.output.empty() ? kept.results() : read_results(grading.output);
    return evaluate(options, data, records, how, results, grader.judge.model);
}

void use_published_context(GradeOptions& options, const Config& config) {
    if (options.run.context == 0)
        options.run.context = std::min(config.max_position_embeddings, published_context);
}

void print_list(bool json) {
    if (json) {
        Json all = Json::array();
        for (const eval::Benchmark& benchmark : eval::benchmarks())
            all.push_back(to_json(benchmark));
        std::printf("%s\n", all.dump(2).c_str());
        return;
    }
    for (const eval::Benchmark& benchmark : eval::benchmarks()) {
        const auto text = [](std::string_view view) { return std::string(view); };
        std::printf("%-17s %s: %s\n", text(benchmark.name).c_str(), text(benchmark.title).c_str(),
                    text(benchmark.measures).c_str());
        std::printf("%-17s %s", "", text(benchmark.file).c_str());
        if (benchmark.records > 0) std::printf(", %zu records", benchmark.records);
        std::printf(" (%s)\n", text(benchmark.source).c_str());
    }
}

int run(EvalOptions& options) {
    if (options.list) {
        print_list(options.json);
        return exit_code::done;
    }
    check(options);
    const std::vector<BenchmarkData> chosen = chosen_benchmarks(options);
    std::vector<eval::Evaluation> evaluations;
    const auto add = [&](eval::Evaluation evaluation) {
        if (!options.json) std::printf("%s\n", to_text(evaluation).c_str());
        std::fflush(stdout);
        evaluations.push_back(std::move(evaluation));
    };
    if (!options.records.empty()) {
        add(evaluate_records(options, chosen.front()));
    } else {
        LoadedJudge judge(options.grading.run, options.grading.trace);
        use_published_context(options.grading, judge.checkpoint().config());
        for (const BenchmarkData& data : chosen) add(ask(judge, options, data));
        judge.finish();
    }
    if (options.json) {
        Json all = Json::array();
        for (const eval::Evaluation& evaluation : evaluations) all.push_back(to_json(evaluation));
        std::printf(
            "%s\n",
            Json{{"evaluations", all}}.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    } else if (evaluations.size() > 1) {
        std::printf("%s", eval::closing_table(evaluations).c_str());
    }
    return std::ranges::all_of(evaluations, &eval::Evaluation::is_whole)
               ? exit_code::done
               : exit_code::unscored_items;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<EvalOptions>();
    add_eval_options(command, *options);
    return [options] { return run(*options); };
}

}  // namespace

// The figures of records that are there, which say in their header how they were made.
eval::Evaluation evaluate_records(EvalOptions options, const BenchmarkData& data) {
    const Journal::Settings header = journal_settings(options.records);
    if (const Json of = header.value("benchmark", Json()); of != data.benchmark->name)
        throw Error(options.records + ": records of " + of.dump() + ", not of " +
                    std::string(data.benchmark->name));
    options.grading.seed = header.value("seed", std::uint64_t{0});
    eval::QuestionOptions how{.protocols = {},
                              .repaired = header.value("repaired", false),
                              .draws = header.value("draws", 1U)};
    for (const eval::Protocol protocol : data.benchmark->protocols())
        for (const Json& asked : header.value("modes", Json::array()))
            if (asked == name(protocol)) how.protocols.push_back(protocol);
    const Records records = read_records(options, data, options.grading.seed);
    return evaluate(options, data, records, std::move(how), read_results(options.records),
                    header.value("model", std::string("judge")));
}

eval::Evaluation evaluate_judge(EvalOptions options, const BenchmarkData& data) {
    LoadedJudge judge(options.grading.run, options.grading.trace);
    use_published_context(options.grading, judge.checkpoint().config());
    eval::Evaluation evaluation = ask(judge, options, data);
    judge.finish();
    return evaluation;
}

extern const Command eval_command;
const Command eval_command{
    .name = "eval",
    .summary = "Measure a judge on published benchmarks",
    .description =
        "Grades the records of a benchmark as the Prometheus 2 paper's evaluation does, and shows "
        "how far the judge agrees with people or with GPT-4, beside the published figures of other "
        "judges. The benchmarks' files are not part of Assay: --list says where they come from. "
        "docs/benchmarks.md says what each figure is.\n"
        "With -o, the records are kept in a journal: the same command again goes on where it was, "
        "and --records computes the figures again without a model.",
    .example =
        "assay eval --model judge.gguf --benchmark vicuna --data vicuna_eval.json -o vicuna.jsonl\n"
        "  assay eval --model judge.gguf --suite eval/benchmark/data -o records/",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
