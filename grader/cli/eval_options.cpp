#include "grader/cli/eval_options.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <string_view>

#include "grader/cli/commands.h"
#include "grader/cli/quantised.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

constexpr std::uint32_t most_runs = 1024, most_redraws = 1024;
constexpr eval::Protocol all_protocols[] = {eval::Protocol::a2a, eval::Protocol::a2r,
                                            eval::Protocol::r2r};

void add_benchmark_flags(CLI::App& command, EvalOptions& options) {
    command.add_flag("--list", options.list, "List the benchmarks and where their files come from");
    add_benchmark_option(command, "--benchmark", options, "Which one; --list lists them");
    command
        .add_option("--suite", options.suite,
                    "In place of both: every benchmark whose file lies in this folder under its "
                    "published name; -o is a folder then")
        ->type_name("FOLDER");
    command
        .add_option("--records", options.records,
                    "Compute the figures from the records of an earlier run, without a model")
        ->type_name("FILE");
}

}  // namespace

bool EvalOptions::greedy() const {
    const float usual = profile_named(grading.items.profile).sampling.temperature;
    return grading.verdict_only || grading.temperature.value_or(usual) == 0;
}

std::uint32_t EvalOptions::runs_of(const eval::Benchmark& asked) const {
    return runs.value_or(greedy() ? 1 : asked.runs);
}

void refuse_judging_options(const CLI::App& command) {
    constexpr std::array<std::string_view, 8> others{
        "--records", "--benchmark", "--data", "--suite", "--model", "--first", "--json", "--quiet"};
    for (const CLI::Option* option : command.get_options())
        if (option->count() > 0 && std::ranges::find(others, option->get_name()) == others.end())
            throw UsageError("--records says how the judge was asked: " + option->get_name() +
                             " has no use");
}

void add_benchmark_option(CLI::App& command, const std::string& flag, EvalOptions& options,
                          const std::string& help) {
    std::vector<std::string> names;
    for (const eval::Benchmark& benchmark : eval::benchmarks()) names.emplace_back(benchmark.name);
    command.add_option(flag, options.benchmark, help)
        ->check(one_of(std::move(names)))
        ->type_name("NAME");
    command.add_option("--data", options.data, "The benchmark's file of records")
        ->type_name("FILE");
}

void add_asking_options(CLI::App& command, EvalOptions& options) {
    options.grading.items.profile = "paper-eval";
    options.grading.parser = name(Parser::strict);
    command
        .add_option("--first", options.first, "Use so many records of each file alone, for a try")
        ->check(integer_between(1, std::numeric_limits<std::uint32_t>::max()))
        ->type_name("NUMBER");
    command
        .add_option_function<std::string>(
            "--mode",
            [&options](const std::string& mode) {
                options.protocol.reset();
                for (const eval::Protocol protocol : all_protocols)
                    if (mode == name(protocol)) options.protocol = protocol;
            },
            "a2a: scores; a2r: pairs by scores of both responses; r2r: pairs by choice; auto "
            "(default): all that the benchmark has")
        ->check(one_of({"auto", "a2a", "a2r", "r2r"}))
        ->type_name("MODE");
    command
        .add_option(
            "--runs", options.runs,
            "Texts for each score of a2a (default 3, of BiGGen-Bench 5; 1 where nothing is drawn)")
        ->check(integer_between(1, most_runs))
        ->type_name("NUMBER");
    command
        .add_option("--redraws", options.redraws,
                    "How often a text without a verdict is drawn again before one is forced "
                    "(default 5)")
        ->check(integer_between(0, most_redraws))
        ->type_name("NUMBER");
    command.add_flag("--repaired", options.repaired,
                     "Ask as the published code seems to mean it, without its oversights");
    add_profile_option(command, options.grading.items.profile);
    add_judging_options(command, options.grading);
    command.remove_option(command.get_option("--samples"));  // --runs says it
}

void add_eval_options(CLI::App& command, EvalOptions& options) {
    add_model_option(command, options.grading.run.model)->required(false);
    add_quantize_options(command, options.grading.run);
    add_benchmark_flags(command, options);
    add_asking_options(command, options);
    add_record_options(command, options.grading);
    add_json_flag(command, options.json);
    add_engine_options(command, options.grading);
    add_sampling_options(command, options.grading);
}

void check(const EvalOptions& options) {
    const bool given = !options.data.empty();
    if (given == !options.suite.empty())
        throw UsageError("give --data FILE with --benchmark NAME, or --suite FOLDER");
    if (given == options.benchmark.empty())
        throw UsageError(given ? "--data needs --benchmark" : "--suite takes no --benchmark");
    if (!options.records.empty()) {
        if (!given) throw UsageError("--records needs --benchmark and --data");
        if (!options.grading.run.model.empty())
            throw UsageError("--records and --model exclude each other");
        return;
    }
    const GradeOptions& grading = options.grading;
    if (grading.run.model.empty()) throw UsageError("give --model, or --records of an earlier run");
    if (grading.output == "-") throw UsageError("-o takes a file, standard output has the figures");
    if (grading.output.empty() && (grading.force || grading.retry_unscored))
        throw UsageError("--force and --retry need the file of an earlier run: give -o");
    if (!options.suite.empty() && !grading.summary.empty())
        throw UsageError("--summary is of one benchmark, --suite runs several");
    if (options.runs.value_or(1) > 1 && options.greedy())
        throw UsageError("--runs " + std::to_string(*options.runs) + " with " +
                         (grading.verdict_only ? "--verdict-only" : "temperature 0") +
                         " would be the same text each time: give --runs 1");
}

std::vector<BenchmarkData> chosen_benchmarks(const EvalOptions& options) {
    if (options.suite.empty()) return {{&eval::benchmark_named(options.benchmark), options.data}};
    if (!std::filesystem::is_directory(options.suite))
        throw Error(options.suite + ": no folder, --suite takes one");
    std::vector<BenchmarkData> found;
    std::string names;
    for (const eval::Benchmark& benchmark : eval::benchmarks()) {
        names.append(names.empty() ? "" : ", ").append(benchmark.file);
        const auto path = std::filesystem::path(options.suite) / benchmark.file;
        const auto protocols = benchmark.protocols();
        const bool wanted =
            !options.protocol || std::ranges::find(protocols, *options.protocol) != protocols.end();
        if (wanted && std::filesystem::exists(path)) found.push_back({&benchmark, path.string()});
    }
    if (found.empty()) throw Error(options.suite + ": no file of a benchmark, they are " + names);
    return found;
}

std::vector<eval::Protocol> chosen_protocols(const EvalOptions& options,
                                             const eval::Benchmark& benchmark) {
    const Profile& profile = profile_named(options.grading.items.profile);
    std::vector<eval::Protocol> protocols;
    for (const eval::Protocol protocol : benchmark.protocols())
        if ((!options.protocol || *options.protocol == protocol) &&
            profile.has(protocol == eval::Protocol::r2r ? Mode::relative : Mode::absolute))
            protocols.push_back(protocol);
    if (protocols.empty())
        throw UsageError(std::string(benchmark.name) + " has no --mode that was asked for" +
                         " and that profile " + std::string(profile.name) + " has");
    return protocols;
}

}  // namespace assay::cli
