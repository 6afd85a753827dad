#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/quantised.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"
#include "grader/cli/token_ids.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

struct Options {
    RunOptions run;
    std::string tokens, output;
    bool last = false;
};

constexpr std::size_t rows_at_once = 64;  // whose logits are on the way to the file

std::vector<TokenId> read_token_ids(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error(path + ": " + std::strerror(errno));
    std::vector<TokenId> ids = parse_token_ids(path, read_all(file, path));
    if (ids.empty()) throw Error(path + ": an empty array, at least one token id expected");
    return ids;
}

void check_token_ids(const Options& options, const std::vector<TokenId>& ids,
                     const Config& config) {
    const auto wrong =
        std::ranges::find_if(ids, [&](TokenId id) { return id >= config.vocab_size; });
    if (wrong != ids.end())
        throw Error(options.tokens + ": element " + std::to_string(wrong - ids.begin()) +
                    ": token id " + std::to_string(*wrong) + ", the model has " +
                    std::to_string(config.vocab_size));
}

void check_paths(const Options& options) {
    std::error_code ignored;
    if (std::filesystem::equivalent(options.tokens, options.output, ignored))
        throw UsageError(options.output + " is both --tokens and -o");
}

void open(std::ofstream& file, const std::string& path) {
    file.open(path == "-" ? "/dev/stdout" : path, std::ios::binary);
    if (!file) throw Error(path + ": " + std::strerror(errno));
}

void write(std::ofstream& file, const std::string& path, std::span<const float> logits) {
    static_assert(std::endian::native == std::endian::little, "the file is little-endian");
    const auto bytes = std::as_bytes(logits);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw Error(path + ": " + std::strerror(errno));
}

int run(Options options) {
    check_paths(options);
    const std::vector<TokenId> ids = read_token_ids(options.tokens);
    options.run.context = static_cast<std::uint32_t>(ids.size());
    Checkpoint checkpoint(model_path(options.run));
    check_token_ids(options, ids, checkpoint.config());
    Session session(options.run, std::move(checkpoint));

    std::ofstream file;  // opened once there is something to put there
    Sequence sequence(session.engine());
    Progress progress(options.run.quiet);
    const std::size_t step = options.last ? ids.size() : rows_at_once;
    for (std::size_t first = 0; first < ids.size(); first += step) {
        const Work work{.sequence = &sequence,
                        .tokens = std::span(ids).subspan(first, std::min(step, ids.size() - first)),
                        .logits = options.last ? Work::last : Work::all};
        const std::vector<float> logits = session.engine().step({&work, 1}).front().logits;
        if (!file.is_open()) open(file, options.output);
        write(file, options.output, logits);
        progress.update(
            static_cast<double>(sequence.length()) / static_cast<double>(ids.size()),
            std::to_string(sequence.length()) + " of " + std::to_string(ids.size()) + " tokens");
    }
    session.finish();
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    add_model_option(command, options->run.model);
    add_quantize_options(command, options->run);
    command
        .add_option("--tokens", options->tokens,
                    "A JSON array of token ids, used as they are: no BOS is added")
        ->required()
        ->type_name("FILE");
    command.add_option("-o,--output", options->output, "Where the logits go; - is standard output")
        ->required()
        ->type_name("FILE");
    command.add_flag("--last", options->last, "Of the last position alone");
    add_kv_option(command, options->run.kv);
    add_activations_option(command, options->run.int8_activations);
    add_device_options(command, options->run);
    add_quiet_flag(command, options->run.quiet);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command logits_command;
const Command logits_command{
    .name = "logits",
    .summary = "Write a model's raw logits to a file, for checking",
    .description =
        "Writes the raw logits that follow each token: one row per position, one little-endian "
        "32-bit float per token of the vocabulary, and nothing else.",
    .example = "assay logits --model demo --tokens ids.json -o out.f32 --kv f32",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
