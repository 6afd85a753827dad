#include "grader/cli/merge_options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/quantised.h"
#include "model/formats/mapped_file.h"
#include "model/memory_plan.h"
#include "model/merge/model_list.h"
#include "runtime/device.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

const std::string eval_group = "With --eval, as for `assay eval`";

constexpr std::array rescales{std::pair{"l1", Rescale::l1}, std::pair{"density", Rescale::density},
                              std::pair{"none", Rescale::none}};
constexpr std::array lora_roundings{std::pair{"once", LoraRounding::once},
                                    std::pair{"delta", LoraRounding::delta},
                                    std::pair{"all", LoraRounding::all}};

template <class Table>
std::vector<std::string> names_of(const Table& table) {
    std::vector<std::string> names;
    for (const auto& entry : table) names.emplace_back(entry.first);
    return names;
}

template <class Table>
auto value_of(const Table& table, const std::string& name) {
    return std::ranges::find(table, name,
                             [](const auto& entry) { return std::string(entry.first); })
        ->second;
}

std::vector<std::string> allowance_names() {
    std::vector<std::string> names;
    for (const AllowanceInfo& allowance : allowances()) names.emplace_back(allowance.name);
    return names;
}

bool is_list(const MergeArguments& arguments) {
    return fs::path(arguments.config).extension() == ".txt";
}

void add_arithmetic_options(CLI::App& command, MergeArguments& arguments) {
    CLI::Option* compat = command.add_option(
        "--compat", arguments.compat,
        "Round every operation as this program does, so that weights are equal bit for bit: "
        "mergekit (the default)");
    compat->check(one_of({"mergekit"}))->type_name("NAME");
    command
        .add_flag("--precise", arguments.precise,
                  "Compute in f32 and round once, at the end, whatever dtype says")
        ->excludes(compat);
    command
        .add_option("--rescale", arguments.rescale,
                    "How methods that mask give back what they took: l1, the ratio of sums of "
                    "magnitudes (mergekit since February 2025, the default); density, as before; "
                    "none")
        ->check(one_of(names_of(rescales)))
        ->type_name("RULE");
    command
        .add_option("--lora-rounding", arguments.lora_rounding,
                    "Where adapters (model+adapter) are rounded: once, after the sum (the default; "
                    "PEFT today); delta, also what is added (safe_merge); all, also the adapter "
                    "itself (PEFT of April 2024)")
        ->check(one_of(names_of(lora_roundings)))
        ->type_name("WHERE");
    command
        .add_option("--random-numbers", arguments.random_numbers,
                    "counter (the default), which depends on seed, tensor, model and element "
                    "alone; numpy, those of the supermario script seeded so")
        ->check(one_of({"counter", "numpy"}))
        ->type_name("KIND");
}

void add_sweep_options(CLI::App& command, MergeArguments& arguments) {
    command
        .add_option("--sweep", arguments.sweep,
                    "NAME=FROM:TO:STEP: merge once for each value, which stands for $NAME in "
                    "CONFIG, and 1 less it for 1-$NAME; folders OUT/NAME-VALUE are written. The "
                    "same command again goes on where it was")
        ->type_name("RANGE");
    const std::size_t before = command.get_options().size();
    add_benchmark_option(
        command, "--eval", arguments.eval,
        "Measure every model of the sweep on this benchmark (`assay eval --list`); "
        "records go to OUT/NAME-VALUE.jsonl");
    command
        .add_option_function<std::string>(
            "--keep",
            [&arguments](const std::string& which) {
                arguments.keep = which == "all"    ? Keep::all
                                 : which == "best" ? Keep::best
                                                   : Keep::none;
            },
            "Which models are left when they are measured: all (default), best, by the figure that "
            "stands for the benchmark, or none; records are always left")
        ->check(one_of({"all", "best", "none"}))
        ->type_name("WHICH");
    add_asking_options(command, arguments.eval);
    add_engine_options(command, arguments.eval.grading);
    add_sampling_options(command, arguments.eval.grading);
    const auto all = command.get_options();
    for (std::size_t i = before; i < all.size(); ++i) all[i]->group(eval_group);
    command.get_option("--seed")
        ->description("Of random masks, and of what judges draw (default 0)")
        ->group("Options");
}

}  // namespace

MergeOptions merge_options(const MergeArguments& arguments) {
    MergeOptions merge;
    merge.plan.precise = arguments.precise;
    if (!arguments.rescale.empty()) merge.plan.rescale = value_of(rescales, arguments.rescale);
    for (const AllowanceInfo& allowance : allowances())
        merge.plan.allowed.*allowance.flag =
            std::ranges::find(arguments.allowed, allowance.name) != arguments.allowed.end();
    merge.source = {.fuse_experts = arguments.fuse_experts,
                    .lora_rounding = value_of(lora_roundings, arguments.lora_rounding),
                    .precise = arguments.precise};
    merge.seed = arguments.eval.grading.seed;
    merge.numpy_draws = arguments.random_numbers == "numpy";
    merge.shard_bytes = static_cast<std::uint64_t>(std::lround(arguments.shard_gigabytes * 1e9));
    merge.threads = arguments.threads;
    merge.hash_inputs = !arguments.no_hashes;
    merge.hash_cache = default_cache_folder() / "sha256";
    merge.version = ASSAY_VERSION;
    return merge;
}

std::string read_config(const MergeArguments& arguments) {
    std::string text(MappedFile(arguments.config).text());
    if (!is_list(arguments)) return text;
    return config_of_list(arguments.config, text, arguments.p.value_or(0.5),
                          arguments.lambda.value_or(1));
}

MergeConfig parse_config(const MergeArguments& arguments, const std::string& text) {
    MergeConfig config =
        parse_merge_config(arguments.config, text, merge_options(arguments).plan.allowed);
    if (arguments.seed_given && arguments.eval.benchmark.empty() &&
        config.method->sparsify != Sparsify::random)
        throw UsageError("--seed serves methods that draw masks, not " +
                         std::string(config.method->name));
    return config;
}

void check(const MergeArguments& arguments) {
    if (!is_list(arguments) && (arguments.p || arguments.lambda))
        throw UsageError(
            "-p and --lambda serve a list of models, NAME.txt; a configuration has "
            "them among its parameters");
    const bool evaluated = !arguments.eval.benchmark.empty();
    if (evaluated && arguments.sweep.empty())
        throw UsageError("--eval serves --sweep; `assay eval --model OUT` measures one model");
    if (!evaluated && (arguments.keep != Keep::all || !arguments.eval_given.empty()))
        throw UsageError((arguments.eval_given.empty() ? "--keep" : arguments.eval_given[0].first) +
                         " serves --eval");
    if (!evaluated) return;
    EvalOptions eval = arguments.eval;
    eval.grading.run.model = arguments.to;
    check(eval);
}

void finish(const CLI::App& command, MergeArguments& arguments) {
    for (const CLI::Option* option : command.get_options())
        if (option->get_group() == eval_group && option->count() > 0 &&
            option->get_name() != "--keep")
            arguments.eval_given.emplace_back(option->get_name(), option->results());
    arguments.eval.grading.run.quiet = arguments.quiet;
    arguments.seed_given = command.count("--seed") > 0;
}

void add_merge_options(CLI::App& command, MergeArguments& arguments) {
    arguments.threads = std::max(std::thread::hardware_concurrency(), 1U);
    command
        .add_option("config", arguments.config,
                    "The merge, as a YAML file of mergekit, or a list of models as the supermario "
                    "script takes it: NAME.txt, one a line, the base first")
        ->required()
        ->type_name("CONFIG");
    command.add_option("out", arguments.to, "The folder to write; it must not be there yet")
        ->required()
        ->type_name("OUT");
    add_arithmetic_options(command, arguments);
    command
        .add_option("-p", arguments.p,
                    "Of a list of models: the share of differences that is added (default 0.5)")
        ->check(number_between(0, 1))
        ->type_name("P");
    command
        .add_option("--lambda", arguments.lambda,
                    "Of a list of models: what differences are multiplied by (default 1)")
        ->check(number_between(-1e6, 1e6))
        ->type_name("L");
    std::string meanings;
    for (const AllowanceInfo& allowance : allowances())
        meanings += "\n" + std::string(allowance.name) + ": " + std::string(allowance.meaning);
    command
        .add_option("--allow", arguments.allowed,
                    "Go on where the reference implementations do without a word:" + meanings)
        ->delimiter(',')
        ->check(one_of(allowance_names()))
        ->type_name("NAME,...");
    command.add_flag("--fuse-experts", arguments.fuse_experts,
                     "Merge and write all experts of a layer as one tensor, as transformers 5 "
                     "names them");
    command
        .add_option("--then-quantize", arguments.type,
                    "Write OUT as a GGUF file of this type (see `assay quantize --help`); the "
                    "merged model lies in a temporary folder beside it until then")
        ->check(a_type())
        ->type_name("TYPE");
    command.add_option("--shard-size", arguments.shard_gigabytes, "Of files, at most (default 5)")
        ->check(number_between(1e-6, 1e6))
        ->type_name("GB");
    command.add_option("--threads", arguments.threads, "How many work (default: one per core)")
        ->check(integer_between(1, 1024))
        ->type_name("N");
    command.add_flag("--no-hashes", arguments.no_hashes,
                     "Leave the SHA-256 of the inputs out of assay_merge.json");
    add_json_flag(command, arguments.json);
    add_quiet_flag(command, arguments.quiet);
    add_sweep_options(command, arguments);
}

}  // namespace assay::cli
