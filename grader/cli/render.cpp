#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "grader/asking.h"
#include "grader/cli/commands.h"
#include "grader/cli/grade_options.h"
#include "grader/cli/items.h"
#include "grader/cli/options.h"
#include "grader/cli/session.h"
#include "model/checkpoint.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string model, input;
    ItemOptions items;
    TooLong too_long = TooLong::refuse;
    std::uint32_t context = 0;
    std::optional<std::uint32_t> max_new_tokens;
    std::uint64_t seed = 0;
};

// As `assay grade` is told the same.
GraderOptions grader_options(const Options& options) {
    GraderOptions grading = options_of(profile_named(options.items.profile));
    grading.orders = Orders::both;
    grading.too_long = options.too_long;
    grading.max_new_tokens = options.max_new_tokens.value_or(grading.max_new_tokens);
    return grading;
}

// Of a run that truncates. A bare tokenizer.model tells none.
std::uint32_t context_of(const Options& options) {
    if (options.context > 0) return options.context;
    return choose_context(Checkpoint(resolve_model(options.model)).config(), 0);
}

Json rendered(const Profile& profile, const Tokenizer& tokenizer, const Item& item) {
    const Prompt prompt = render(profile, item);
    return {{"id", to_json(item.id)},
            {"prompt", prompt.text},
            {"ids", prompt_tokens(tokenizer, prompt)}};
}

// What the judge is sent of an item that may be longer than the context.
Json rendered(const Profile& profile, const Tokenizer& tokenizer, const Item& item,
              const Asking& asking) {
    const Asked asked = asking.ask(item);
    if (asked.unscored) throw std::runtime_error(asked.unscored->error);
    if (!asked.truncated) return rendered(profile, tokenizer, item);
    Json line = rendered(profile, tokenizer, asked.truncated->item);
    line["truncated"] = to_json(asked.truncated->left_out);
    return line;
}

int run(const Options& options) {
    const Profile& profile = profile_named(options.items.profile);
    const Tokenizer tokenizer = open_tokenizer(resolve_model(options.model));
    const GraderOptions grading = grader_options(options);
    std::optional<Asking> asking;
    if (options.too_long != TooLong::refuse)
        asking.emplace(tokenizer, grading, context_of(options));
    const auto items = open_items(options.input, options.items, options.seed);
    int code = exit_code::done;
    while (const auto next = items->next()) {
        Json line;
        try {
            if (const auto* bad = std::get_if<BadItem>(&*next)) throw *bad;
            const Item& item = std::get<Item>(*next);
            line = asking ? rendered(profile, tokenizer, item, *asking)
                          : rendered(profile, tokenizer, item);
        } catch (const std::runtime_error& error) {
            line = {{"id", to_json(id_of(*next))}, {"error", error.what()}};
            code = exit_code::unscored_items;
        }
        std::cout << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    }
    std::cout.flush();
    return code;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    add_model_option(command, options->model)
        ->description("As for `assay grade`, or a bare tokenizer.model; its weights are not read");
    add_input_option(command, options->input)->required();
    add_item_options(command, options->items);
    add_dataset_options(command, options->items);
    add_coin_option(command, options->seed);
    add_too_long_option(command, options->too_long);
    add_context_option(command, options->context);
    command
        .add_option("--max-new-tokens", options->max_new_tokens,
                    "For --too-long truncate-middle: the longest feedback that must have room")
        ->check(integer_between(1, most_tokens))
        ->type_name("NUMBER");
    return [options] { return run(*options); };
}

}  // namespace

extern const Command render_command;
const Command render_command{
    .name = "render",
    .summary = "Show the exact prompts that items become",
    .description =
        "Prints one JSON line per item, {\"id\", \"prompt\", \"ids\"}: the prompt's exact text "
        "and the token ids the judge reads. The beginning-of-sequence tokens are among the ids "
        "and not in the text. With --too-long truncate-middle an item that is longer than the "
        "context is shown as the judge is sent it, with what it leaves out (\"truncated\"). Needs "
        "no "
        "GPU.",
    .example =
        "assay render --model demo -i items.jsonl --rubric helpfulness --profile lib-fastchat",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
