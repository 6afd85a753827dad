#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "grader/cli/commands.h"
#include "grader/cli/help.h"
#include "grader/cli/items.h"
#include "grader/cli/options.h"
#include "grader/cli/output_file.h"
#include "grader/cli/terminal.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::string input, output;
    ItemOptions items;
    std::uint64_t seed = 0;
    bool list = false, json = false, force = false, quiet = false;
};

int show_datasets(const Options& options) {
    if (options.json) {
        Json list = Json::array();
        for (const Dataset& dataset : datasets())
            list.push_back(
                {{"name", dataset.name}, {"summary", dataset.summary}, {"fields", dataset.fields}});
        std::cout << list.dump(2) << '\n';
        return exit_code::done;
    }
    for (const Dataset& dataset : datasets())
        std::cout << dataset.name << ": " << dataset.summary << '\n'
                  << wrapped("    " + std::string(dataset.fields), help_width) << '\n';
    return exit_code::done;
}

void write(std::FILE* file, const Item& item, const std::string& name) {
    const std::string line = to_json(item).dump(-1, ' ', false, Json::error_handler_t::replace);
    if (std::fprintf(file, "%s\n", line.c_str()) < 0) throw Error(name + ": cannot be written");
}

int run(Options options) {
    if (options.list) return show_datasets(options);
    if (options.json) throw UsageError("--json serves --list: items are JSON lines anyway");
    if (options.input.empty()) throw UsageError("nothing to import: give a FILE, or --list");
    // Items may go without a rubric until they are graded.
    const bool to_file = !options.output.empty() && options.output != "-";
    ItemDefaults defaults = defaults_of(options.items);
    if (!defaults.rubric) defaults.rubric = Rubric{};
    const auto items = open_dataset(options.input, {.name = options.items.dataset,
                                                    .map = options.items.mappings,
                                                    .with = options.items.with,
                                                    .seed = options.seed,
                                                    .defaults = defaults});
    OutputFile file;
    if (to_file) file = open_output(options.output, options.input, options.force);
    std::FILE* const to = to_file ? file.get() : stdout;
    std::size_t imported = 0, bad = 0;
    while (const auto next = items->next())
        if (const auto* item = std::get_if<Item>(&*next)) {
            write(to, *item, to_file ? options.output : "standard output");
            ++imported;
        } else {
            ++bad;
            std::fprintf(stderr, "assay: %s\n", harmless(std::get<BadItem>(*next).what()).c_str());
        }
    if (std::fflush(to) != 0) throw Error(options.output + ": cannot be written");
    if (!options.quiet)
        std::fprintf(stderr, "%s: %zu items of %s, %zu records that are none\n",
                     options.input.c_str(), imported, std::string(items->dataset().name).c_str(),
                     bad);
    return bad > 0 ? exit_code::unscored_items : exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command.add_option("FILE", options->input, "Records to read; - is standard input");
    command.add_option("-o,--output", options->output, "Where items go (default: standard output)")
        ->type_name("FILE");
    add_item_options(command, options->items);
    command.remove_option(command.get_option("--profile"));  // items have none
    add_dataset_options(command, options->items);
    add_coin_option(command, options->seed);
    command.add_flag("--list", options->list, "Show the datasets that are known");
    command.add_flag("--force", options->force, "Replace the file of -o if it is there");
    add_json_flag(command, options->json);
    add_quiet_flag(command, options->quiet);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command import_command;
const Command import_command{
    .name = "import",
    .summary = "Turn records of other tools and datasets into items",
    .description =
        "Writes the records of a file (JSON lines, a JSON list, an object that holds one, or CSV) "
        "as "
        "items, one JSON object a line, with what people or other judges said of them as labels. "
        "`assay grade` reads the same files itself: this shows what it makes of them. A record "
        "that is no item is named on standard error, and the exit code is then 3.",
    .example =
        "assay import vicuna_eval.json -o items.jsonl\n"
        "  assay import answers.csv --map instruction=question --map response=answer\n"
        "  assay import --list",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
