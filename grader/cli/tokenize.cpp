#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/token_ids.h"
#include "model/checkpoint.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

struct Options {
    std::string model;
    bool decode = false, bos = false;
};

int run(const Options& options) {
    const Tokenizer tokenizer = open_tokenizer(resolve_model(options.model));
    const std::string input = read_all(std::cin, "standard input");
    if (std::ferror(stdin)) throw Error("standard input: cannot be read; it may be a directory");
    if (options.decode) {
        std::cout << tokenizer.decode(parse_token_ids("standard input", input)) << std::flush;
        return exit_code::done;
    }
    std::vector<TokenId> ids = tokenizer.encode(input);
    if (options.bos) ids.insert(ids.begin(), tokenizer.bos_id());
    std::cout << to_json(ids) << std::endl;
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    add_model_option(command, options->model)
        ->description("As for `assay grade`, or a bare tokenizer.model; its weights are not read");
    auto* decode = command.add_flag("--decode", options->decode, "From ids to text");
    command.add_flag("--bos", options->bos, "Put the beginning-of-sequence token first")
        ->excludes(decode);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command tokenize_command;
const Command tokenize_command{
    .name = "tokenize",
    .summary = "Turn text into token ids, or back",
    .description =
        "Reads text from standard input to its last byte, line breaks too, and prints its token "
        "ids "
        "as a JSON array; with --decode the reverse. Bytes that are not UTF-8 are read as U+FFFD. "
        "Text is never searched for control tokens: </s> stays text. "
        "No BOS is added unless --bos asks for it.",
    .example = "printf 'Hello' | assay tokenize --model demo",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
