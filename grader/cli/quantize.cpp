#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/quantised.h"
#include "grader/cli/terminal.h"
#include "grader/stopwatch.h"
#include "model/checkpoint.h"
#include "model/memory_plan.h"
#include "model/quantise_model.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
    std::string from, to, type, importance;
    std::uint32_t threads = std::max(std::thread::hardware_concurrency(), 1U);
    bool force = false, json = false, quiet = false;
};

void check_target(const Options& options, const fs::path& from) {
    const fs::path to = options.to;
    std::error_code absent;
    if (!fs::exists(to, absent)) return;
    const std::string where = to.string() + ": ";
    if (fs::equivalent(from, to, absent)) throw Error(where + "is the model that is to be read");
    if (!fs::is_regular_file(to)) throw Error(where + "is there and no regular file");
    if (fs::is_directory(from) && fs::equivalent(from, fs::absolute(to).parent_path()) &&
        to.extension() != ".gguf")
        throw Error(where + "is a file of the model that is to be read");
    if (!options.force) throw Error(where + "is there already; --force replaces it");
}

double gigabytes_per_second(const QuantisedModel& made, double seconds) {
    return static_cast<double>(made.bytes_before) / std::max(seconds, 1e-6) / 1e9;
}

double bits_per_weight(const QuantisedModel& made) {
    return 8 * static_cast<double>(made.bytes) / static_cast<double>(made.weights);
}

Json to_json(const Options& options, const Mix& mix, const QuantisedModel& made, double seconds) {
    Json tensors = Json::object();
    for (const auto& [format, count] : made.tensors)
        tensors[std::string(info(format).name)] = count;
    return {{"file", options.to},
            {"type", mix.name},
            {"tensors", tensors},
            {"weights", made.weights},
            {"bytes_before", made.bytes_before},
            {"bytes", made.bytes},
            {"bits_per_weight", bits_per_weight(made)},
            {"threads", options.threads},
            {"seconds", seconds},
            {"gigabytes_per_second", gigabytes_per_second(made, seconds)}};
}

std::string to_text(const Options& options, const QuantisedModel& made, double seconds) {
    std::string tensors;
    for (const auto& [format, count] : made.tensors)
        tensors += (tensors.empty() ? "" : ", ") + std::to_string(count) + " " +
                   std::string(info(format).name);
    char numbers[120];
    std::snprintf(numbers, sizeof numbers, "%.2f bits per weight; %s, %.2f GB/s",
                  bits_per_weight(made), duration_text(seconds).c_str(),
                  gigabytes_per_second(made, seconds));
    return options.to + ": " + bytes_text(made.bytes) + " from " + bytes_text(made.bytes_before) +
           ", " + numbers + "\ntensors: " + tensors;
}

int run(const Options& options) {
    const Mix& mix = *find_mix(options.type);
    const fs::path from = resolve_model(options.from);
    check_target(options, from);
    const Checkpoint checkpoint(from);
    std::optional<ImportanceFile> importance;
    if (!options.importance.empty()) importance = read_importance(options.importance);
    const QuantiseOptions how{options.threads, importance ? &*importance : nullptr,
                              fs::path(options.importance).filename().string()};
    const Stopwatch watch;
    const QuantisedModel made =
        quantise_with_progress(checkpoint, options.to, mix, how, options.quiet);
    const double seconds = watch.seconds();
    if (options.json)
        std::cout << to_json(options, mix, made, seconds)
                         .dump(-1, ' ', false, Json::error_handler_t::replace)
                  << std::endl;
    else if (!options.quiet)
        std::cout << to_text(options, made, seconds) << std::endl;
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("model", options->from, "What to quantise, as for --model of other commands")
        ->required()
        ->type_name("IN");
    command.add_option("file", options->to, "The GGUF file to write")->required()->type_name("OUT");
    command
        .add_option("-t,--type", options->type,
                    "In any case, with the bits per weight of a 7B model: " + type_list(true))
        ->required()
        ->check(a_type())
        ->type_name("TYPE");
    command
        .add_option(
            "--imatrix", options->importance,
            "An importance file of this model (llama.cpp's, GGUF or .dat): errors are moved "
            "to where inputs are small")
        ->type_name("FILE");
    command.add_option("--threads", options->threads, "How many work (default: one per core)")
        ->check(integer_between(1, 1024))
        ->type_name("N");
    command.add_flag("--force", options->force, "Replace OUT if it is there");
    add_json_flag(command, options->json);
    add_quiet_flag(command, options->quiet);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command quantize_command;
const Command quantize_command{
    .name = "quantize",
    .summary = "Make a model smaller: write it as a GGUF file of another format",
    .description =
        "Reads a Hugging Face directory or a GGUF file and writes a GGUF file, which llama.cpp "
        "reads too. Norms and the router of experts stay f32; a matrix whose rows are no whole "
        "blocks of a format gets a near one. Little memory is needed, whatever the model's size.",
    .example = "assay quantize prometheus-7b-v2.0 prometheus-q8_0.gguf --type q8_0",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
