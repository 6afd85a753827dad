#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "grader/cli/bound_options.h"
#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/output_file.h"
#include "grader/graded_items.h"
#include "grader/report/formats.h"
#include "grader/report/sections.h"
#include "grader/results.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

struct Options {
    std::vector<std::string> results;  // one or two files
    std::string items, output, format, title;
    std::optional<double> pass_score;
    Bounds bounds;
    bool json = false;
};

// What a format is made of.
struct Content {
    const Options& options;
    std::vector<report::Run> runs;
    GradedItems items;

    const report::Run* other() const { return runs.size() > 1 ? &runs[1] : nullptr; }
    report::Document document() const { return report::document(runs, options.title); }
};

struct Format {
    std::string_view name, extension;
    bool has_figures;
    std::string (*text)(const Content& content);
};

constexpr Format formats[]{
    {"html", ".html", true,
     [](const Content& content) {
         return to_html(content.document(),
                        report::rows(content.runs[0], content.other(), content.items));
     }},
    {"csv", ".csv", false,
     [](const Content& content) { return to_csv(content.runs[0], content.items); }},
    {"junit", ".xml", true,
     [](const Content& content) {
         return to_junit(content.runs[0], content.options.title, content.options.pass_score);
     }},
    {"markdown", ".md", true,
     [](const Content& content) { return to_markdown(content.document()); }},
    {"json", ".json", true, [](const Content& content) {
         auto json = to_json(content.document());
         for (const report::Run& run : content.runs)
             json["metrics"].push_back(
                 {{"file", run.name}, {"metrics", assay::to_json(run.scores.metrics)}});
         return json_text(json, 2);
     }}};

std::vector<std::string> format_names() {
    std::vector<std::string> names;
    for (const Format& format : formats) names.emplace_back(format.name);
    return names;
}

const Format& format_of(const Options& options) {
    const std::string name = options.json ? "json" : options.format;
    const std::string extension = std::filesystem::path(options.output).extension();
    for (const Format& format : formats)
        if (name.empty() ? format.extension == extension : format.name == name) return format;
    return formats[0];
}

// Files are called by their names, and by their paths where those are alike. Figures take time and
// are left out where nobody asks for them.
std::vector<report::Run> read_runs(const Options& options, bool figures) {
    std::vector<report::Run> runs;
    for (const std::string& path : options.results) {
        const std::string file = std::filesystem::path(path).filename(),
                          name = path == "-" ? "standard input" : file;
        auto results = read_results(path);
        runs.push_back(figures ? report::make_run(name, std::move(results))
                               : report::Run{name, std::move(results)});
        if (runs.back().results.empty()) throw Error(path + ": no records");
        require_verdicts(runs.back().results, path);
    }
    if (runs.size() > 1 && runs[0].name == runs[1].name)
        for (std::size_t i = 0; i < 2; ++i) runs[i].name = options.results[i];
    return runs;
}

// The rubric of an item is not shown, so that one without it serves too.
GradedItems read_items(const std::string& path) {
    if (path.empty()) return {};
    return read_graded_items(path, {.defaults = {.mode = std::nullopt, .rubric = Rubric{}}});
}

void say_what_is_missing(const Content& content) {
    if (content.items.empty() && content.options.items.empty()) return;
    const auto& results = content.runs[0].results;
    const auto missing = std::ranges::count_if(
        results, [&](const Result& result) { return !content.items.of(result); });
    if (missing > 0)
        std::fprintf(stderr, "assay: %td of %zu records have no item in %s\n", missing,
                     results.size(), content.options.items.c_str());
}

int run(Options options) {
    const Format& format = format_of(options);
    const bool to_file = !options.output.empty() && options.output != "-";
    std::optional<ReportFile> file;
    if (to_file) {
        forbid_same_file(options.output, options.items);
        for (const std::string& path : options.results) forbid_same_file(options.output, path);
        file.emplace(options.output, std::initializer_list<std::string>{});
    }
    const bool figures = format.has_figures || !options.bounds.empty();
    Content content{options, read_runs(options, figures), read_items(options.items)};
    if (options.title.empty()) options.title = "Report on " + content.runs[0].name;
    say_what_is_missing(content);
    const std::string text = format.text(content);
    if (file)
        file->write(text);
    else
        std::cout << text << std::flush;
    if (figures) require(options.bounds, content.runs[0].scores.metrics);
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("results", options->results,
                    "Records of `assay grade`; a second file of the same items is compared")
        ->type_name("RESULTS")
        ->required()
        ->expected(1, 2);
    command
        .add_option(
            "-i,--input", options->items,
            "The items that were graded, in any form that `assay grade` reads, to show their "
            "instructions and responses")
        ->type_name("FILE");
    command.add_option("-o,--output", options->output, "Where to write; else standard output")
        ->type_name("FILE");
    command
        .add_option("--format", options->format,
                    "html, csv (a row a record), junit (a test case a record), markdown or json "
                    "(the figures); default: by the name of -o, else html")
        ->check(one_of(format_names()))
        ->type_name("FORMAT");
    command.add_option("--title", options->title, "Default: the name of the file")
        ->type_name("TEXT");
    command
        .add_option("--pass-score", options->pass_score, "For junit: scores below it are failures")
        ->check(number_between(1, 5))
        ->type_name("SCORE");
    add_bound_options(command, options->bounds);
    add_json_flag(command, options->json);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command report_command;
const Command report_command{
    .name = "report",
    .summary = "Show what came of a run: a page, a table, a test report",
    .description =
        "Writes one HTML file that needs no network: verdicts, agreement with labels, biases, "
        "calibration, and a table of all records to search and filter. Needs no GPU.",
    .example = "assay report grades.jsonl -i items.jsonl -o report.html",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
