#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <utility>

#include "grader/cli/commands.h"
#include "grader/cli/eval_options.h"
#include "grader/cli/grade_items.h"
#include "grader/cli/loaded_judge.h"
#include "grader/cli/output_file.h"
#include "grader/cli/run_header.h"
#include "grader/cli/terminal.h"
#include "grader/datasets/open.h"
#include "grader/eval/evaluation.h"
#include "grader/item_source.h"
#include "grader/results.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

// The records of a benchmark's file.
struct Records {
    std::vector<Item> items;
    std::size_t bad = 0, left_out = 0;
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
        auto& item = std::get<Item>(*next);
        if (!benchmark.left_out.empty() &&
            item.id.text.find(benchmark.left_out) != std::string::npos) {
            ++records.left_out;
            continue;
        }
        records.items.push_back(std::move(item));
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

// `results` are of the file `source`.
eval::Evaluation evaluate(const EvalOptions& options, const BenchmarkData& data,
                          const Records& records, eval::QuestionOptions how,
                          std::span<const Result> results, const std::string& source,
                          std::string judge) {
    eval::Outcomes outcomes;
    try {
        outcomes = eval::outcomes_of(*data.benchmark, records.items, how, results);
    } catch (const Error& error) {
        throw Error(source + ": " + error.what());
    }
    return {.benchmark = data.benchmark,
            .judge = std::move(judge),
            .data = data.path,
            .records = records.items.size(),
            .bad_records = records.bad,
            .left_out = records.left_out,
            .how = std::move(how),
            .counts = outcomes.counts,
            .figures = eval::figures_of(*data.benchmark, records.items, outcomes.of_records,
                                        options.grading.seed)};
}

std::string records_path(const EvalOptions& options, const eval::Benchmark& benchmark) {
    const std::string& output = options.grading.output;
    if (output.empty() || options.suite.empty()) return output;
    return (std::filesystem::path(output) / (std::string(benchmark.name) + ".jsonl")).string();
}

// A benchmark that can be put to a judge.
struct Asking {
    BenchmarkData data;
    Records records;
    eval::QuestionOptions how;
    GradeOptions grading;
    GraderOptions grader;
};

// Reads its records, and refuses a journal of other settings: what is wrong with files shows before
// anything is judged. `grader` is that of the options, for any benchmark.
Asking prepare(const EvalOptions& options, const BenchmarkData& data, const GraderOptions& grader,
               const Checkpoint& checkpoint) {
    const eval::Benchmark& benchmark = *data.benchmark;
    Asking asking{.data = data,
                  .records = read_records(options, data, options.grading.seed),
                  .how = {.protocols = chosen_protocols(options, benchmark),
                          .repaired = options.repaired,
                          .draws = options.greedy() ? 1U : 3U},
                  .grading = options.grading,
                  .grader = grader};
    asking.grading.input = data.path;
    asking.grading.output = records_path(options, benchmark);
    asking.grader.samples = benchmark.mode == Mode::absolute ? options.runs_of(benchmark) : 1;
    asking.grader.profile = &profile_for(benchmark, *grader.profile, options.repaired);
    asking.grader.redraws = options.greedy() ? 0 : options.redraws;
    const GradeOptions& grading = asking.grading;
    if (std::filesystem::exists(grading.output)) {
        Journal::Settings settings = settings_of(grading, asking.grader, checkpoint);
        settings.update(header_of(benchmark, asking.how));
        Journal(grading.output,
                {.replace = grading.force, .retry_unscored = grading.retry_unscored})
            .check(settings);
    }
    return asking;
}

eval::Evaluation ask(LoadedJudge& judge, const EvalOptions& options, const Asking& asking) {
    const auto& [data, records, how, grading, grader] = asking;
    eval::Questions questions(*data.benchmark, records.items, how);
    QuestionSource source(questions);
    KeepingView kept;
    grade_items(judge, grading, source,
                {.grading = grader,
                 .settings = header_of(*data.benchmark, how),
                 .view = grading.output.empty() ? &kept : nullptr,
                 .on_graded = [&](const Item& question, std::size_t, const RecordFacts& facts) {
                     questions.answered(question, facts.verdict);
                 }});
    const auto results = grading.output.empty() ? kept.results() : read_results(grading.output);
    return evaluate(options, data, records, how, results, grading.output, grader.judge.model);
}

// The longest that one of the benchmarks has, as the judge is loaded once for all.
void use_published_context(GradeOptions& options, std::span<const BenchmarkData> chosen,
                           const Config& config) {
    if (options.run.context > 0) return;
    for (const BenchmarkData& data : chosen)
        options.run.context = std::max(options.run.context, data.benchmark->context);
    options.run.context = std::min(config.max_position_embeddings, options.run.context);
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

// Figures as they come, and the benchmarks that there are none of.
class Findings {
public:
    explicit Findings(bool json) : json_(json) {}

    void add(eval::Evaluation evaluation) {
        if (!json_) std::printf("%s\n", harmless(to_text(evaluation)).c_str());
        std::fflush(stdout);
        evaluations_.push_back(std::move(evaluation));
    }

    void fail(const BenchmarkData& data, const std::string& what) {
        std::fprintf(stderr, "assay: %s\n", harmless(what).c_str());
        failed_.push_back(
            {{"benchmark", data.benchmark->name}, {"data", data.path}, {"error", what}});
    }

    // The rest of the output; returns the exit code.
    int finish() const {
        if (evaluations_.empty()) return exit_code::failed;
        if (json_)
            std::printf("%s", json_text(to_json(), 2).c_str());
        else if (evaluations_.size() > 1)
            std::printf("%s", harmless(eval::closing_table(evaluations_)).c_str());
        if (!failed_.empty()) return exit_code::failed;
        return std::ranges::all_of(evaluations_, &eval::Evaluation::is_whole)
                   ? exit_code::done
                   : exit_code::unscored_items;
    }

private:
    Json to_json() const {
        Json all = Json::array();
        for (const eval::Evaluation& evaluation : evaluations_)
            all.push_back(eval::to_json(evaluation));
        return {{"evaluations", all}, {"failed", failed_}};
    }

    bool json_;
    std::vector<eval::Evaluation> evaluations_;
    Json failed_ = Json::array();
};

void judge_all(EvalOptions& options, std::span<const BenchmarkData> chosen, Findings& findings) {
    LoadedJudge judge(options.grading.run, options.grading.trace);
    use_published_context(options.grading, chosen, judge.checkpoint().config());
    if (!options.suite.empty() && !options.grading.output.empty())
        std::filesystem::create_directories(options.grading.output);
    const GraderOptions grader = grader_options(options.grading, judge.checkpoint());
    std::vector<Asking> ready;
    for (const BenchmarkData& data : chosen) {
        try {
            ready.push_back(prepare(options, data, grader, judge.checkpoint()));
        } catch (const Error& error) {
            findings.fail(data, error.what());
        }
    }
    // What fails now is the judge or a full disk, with which the rest would fail too.
    bool failed = false;
    for (const Asking& asking : ready) {
        try {
            if (failed) throw Error(asking.data.path + ": not judged, as one before it failed");
            findings.add(ask(judge, options, asking));
        } catch (const Error& error) {
            findings.fail(asking.data, error.what());
            failed = true;
        }
    }
    if (!failed) judge.finish();
}

int run(EvalOptions& options) {
    if (options.list) {
        print_list(options.json);
        return exit_code::done;
    }
    check(options);
    const std::vector<BenchmarkData> chosen = chosen_benchmarks(options);
    Findings findings(options.json);
    if (options.records.empty())
        judge_all(options, chosen, findings);
    else
        findings.add(evaluate_records(options, chosen.front()));
    return findings.finish();
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<EvalOptions>();
    add_eval_options(command, *options);
    return [options, &command] {
        if (!options->records.empty()) refuse_judging_options(command);
        return run(*options);
    };
}

}  // namespace

// Records say in their header how they were made.
eval::Evaluation evaluate_records(EvalOptions options, const BenchmarkData& data) {
    const RunHeader header(options.records);
    if (const Json of = header.value("benchmark", Json()); of != data.benchmark->name)
        throw Error(options.records + ": records of " + of.dump() + ", not of " +
                    std::string(data.benchmark->name));
    options.grading.seed = header.value("seed", std::uint64_t{0});
    eval::QuestionOptions how{.protocols = {},
                              .repaired = header.value("repaired", false),
                              .draws = header.value("draws", 1U)};
    const Json modes = header.value("modes", Json::array());
    for (const eval::Protocol protocol : data.benchmark->protocols())
        for (const Json& asked : modes)
            if (asked == name(protocol)) how.protocols.push_back(protocol);
    const Records records = read_records(options, data, options.grading.seed);
    return evaluate(options, data, records, std::move(how), read_results(options.records),
                    options.records, header.value("model", std::string("judge")));
}

eval::Evaluation evaluate_judge(EvalOptions options, const BenchmarkData& data) {
    LoadedJudge judge(options.grading.run, options.grading.trace);
    use_published_context(options.grading, {&data, 1}, judge.checkpoint().config());
    const GraderOptions grader = grader_options(options.grading, judge.checkpoint());
    eval::Evaluation evaluation =
        ask(judge, options, prepare(options, data, grader, judge.checkpoint()));
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
