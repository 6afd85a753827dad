#include "grader/cli/items.h"

#include <limits>
#include <stdexcept>
#include <utility>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"

namespace assay::cli {
namespace {

std::string profile_help() {
    std::string text = "How the judge is asked:";
    for (const Profile& profile : profiles())
        text.append("\n  ").append(profile.name).append(": ").append(profile.summary);
    return text;
}

std::string profile_problem(const std::string& name) {
    try {
        profile_named(name);
        return "";
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

std::string mapping_problem(const std::string& text) {
    try {
        parse_mapping(text);
        return "";
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

}  // namespace

CLI::Option* add_input_option(CLI::App& command, std::string& path) {
    return command
        .add_option("-i,--input", path,
                    "Items: JSON lines, a JSON list or CSV (docs/datasets.md); - is standard input")
        ->type_name("FILE");
}

void add_profile_option(CLI::App& command, std::string& profile) {
    command.add_option("--profile", profile, profile_help())
        ->check(CLI::Validator(profile_problem, ""))
        ->type_name("PROFILE");
}

void add_item_options(CLI::App& command, ItemOptions& options) {
    command
        .add_option(
            "--rubric", options.rubric,
            "For items without a rubric: a file (YAML or JSON) or one of " + builtin_rubric_list())
        ->type_name("NAME|FILE");
    command
        .add_option_function<std::string>(
            "--format",
            [&options](const std::string& name) {
                options.mode.reset();
                if (name == "absolute") options.mode = Mode::absolute;
                if (name == "relative") options.mode = Mode::relative;
            },
            "absolute (scores 1 to 5), relative (A or B), or auto (default): by each item's fields")
        ->check(one_of({"auto", "absolute", "relative"}))
        ->type_name("FORMAT");
    add_profile_option(command, options.profile);
}

void add_dataset_options(CLI::App& command, ItemOptions& options) {
    std::vector<std::string> names;
    for (const Dataset& dataset : datasets()) names.emplace_back(dataset.name);
    command
        .add_option("--dataset", options.dataset,
                    "What the records are (`assay import --list`); by default they show it")
        ->check(one_of(std::move(names)))
        ->type_name("NAME");
    command
        .add_option_function<std::vector<std::string>>(
            "--map",
            [&options](const std::vector<std::string>& texts) {
                options.mappings.clear();
                for (const std::string& text : texts)
                    options.mappings.push_back(parse_mapping(text));
            },
            "Where a field of an item is in a record, as in instruction=question.text; may be "
            "given "
            "several times")
        ->check(CLI::Validator(mapping_problem, ""))
        ->type_name("FIELD=PATH")
        ->allow_extra_args(false);
    command
        .add_option("--with", options.with,
                    "A second file: the answers to MT-Bench's questions, or responses to the same "
                    "instructions, which make pairs")
        ->type_name("FILE");
}

void add_coin_option(CLI::App& command, std::uint64_t& seed) {
    command
        .add_option("--seed", seed,
                    "Of the coin that decides which response of a labelled pair is A (default 0)")
        ->check(integer_between(0, std::numeric_limits<std::uint64_t>::max()))
        ->type_name("NUMBER");
}

ItemDefaults defaults_of(const ItemOptions& options) {
    if (const Profile& profile = profile_named(options.profile);
        options.mode && !profile.has(*options.mode))
        throw UsageError(missing_format(profile, *options.mode));
    ItemDefaults defaults{.mode = options.mode,
                          .rubric = std::nullopt,
                          .rubric_source = "--rubric " + options.rubric};
    if (options.rubric.empty()) return defaults;
    defaults.rubric = rubric_from_argument(options.rubric);
    if (options.mode) defaults.rubric->check_serves(*options.mode, defaults.rubric_source);
    return defaults;
}

std::unique_ptr<DatasetItems> open_items(const std::string& path, const ItemOptions& options,
                                         std::uint64_t seed) {
    return open_dataset(path, {.name = options.dataset,
                               .map = options.mappings,
                               .with = options.with,
                               .seed = seed,
                               .defaults = defaults_of(options)});
}

const ItemId& id_of(const std::variant<Item, BadItem>& item) {
    return std::visit([](const auto& it) -> const ItemId& { return it.id; }, item);
}

}  // namespace assay::cli
