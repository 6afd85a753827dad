#include "grader/cli/bench_kernels.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/kernels/compare.h"
#include "bench/kernels/filter.h"
#include "grader/cli/bench_support.h"
#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/output_file.h"
#include "grader/cli/terminal.h"
#include "grader/cli/tuning.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

std::string selection_text(const bench::Selection& selection) {
    return std::to_string(selection.cases.size()) + " of " + std::to_string(selection.of) +
           "; what --filter does not name is " + selection.usual + " (--all: everything)";
}

void print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

std::optional<bench::Earlier> read_earlier(const std::string& path) {
    if (path.empty()) return std::nullopt;
    std::ifstream in(path);
    if (!in) throw Error(path + ": it cannot be read");
    try {
        return bench::Earlier(nlohmann::ordered_json::parse(in));
    } catch (const std::exception& error) {
        throw Error(path + ": " + error.what());
    }
}

// What is wrong with a filter; nothing if it can be read.
std::string filter_of_cases(const std::string& text) {
    try {
        const bench::Filter filter(text);
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

// Which cases are usual depends on the device that a run would take. Without any they are a GPU's.
bool takes_cpu(const std::string& device) {
    try {
        return find_device(device).is_cpu;
    } catch (const Error&) {
        if (!device.empty()) throw;
        return false;
    }
}

int list(const BenchKernelsOptions& options) {
    const auto selection = bench::select_cases(options.filters, takes_cpu(options.device),
                                               options.all, options.run.quick);
    for (const bench::Case& c : selection.cases) print(c.name() + "\n");
    return exit_code::done;
}

}  // namespace

void add_bench_kernels_options(CLI::App& command, BenchKernelsOptions& options) {
    command
        .add_option(
            "--filter", options.filters,
            "Which cases, by words that must all hold: names of operations, models, parts "
            "and formats (NAME,NAME for either, or how they begin), rows=1..8,512, keys=4096, "
            "kv=q8_0. What no word speaks of stays as usual. Several filters add up")
        ->check(filter_of_cases)
        ->type_name("WORDS");
    command.add_flag("--all", options.all,
                     "All cases that the filter leaves open, not the usual ones");
    command.add_flag("--quick", options.run.quick, "Few cases and samples: a few seconds");
    command.add_flag("--check", options.run.check_only, "Compare the answers only, time nothing");
    command.add_flag("--list", options.list, "List the cases and run none; needs no device");
    command
        .add_option("--samples", options.run.measure.samples,
                    "Times each case is measured, cold and warm")
        ->check(integer_between(1, 1 << 16))
        ->capture_default_str()
        ->type_name("NUMBER");
    command
        .add_option(
            "--seconds", options.run.measure.most_seconds,
            "GPU time a case may take for its cold and for its warm samples; fewer are taken "
            "where they would take longer")
        ->check(number_from(0))
        ->capture_default_str()
        ->type_name("SECONDS");
    command
        .add_option("--device", options.device,
                    "Index or part of a name, as `assay devices` lists them (default: the fastest)")
        ->type_name("DEVICE");
    add_disable_option(command, options.disabled);
    add_tune_option(command, options.tuned);
    command
        .add_option_function<std::string>(
            "--path",
            [&options](const std::string& name) {
                const auto* path = std::ranges::find(ops::matmul_path_names, name);
                options.run.paths.matmul =
                    static_cast<ops::MatmulPath>(path - ops::matmul_path_names.begin());
            },
            "How products are computed: automatic (default), direct, skinny, tiled, coopmat, "
            "coopmat2 or dot")
        ->check(one_of({ops::matmul_path_names.begin(), ops::matmul_path_names.end()}))
        ->type_name("PATH");
    command.add_option("--json", options.json, "Write the results as JSON; -: to standard output")
        ->type_name("FILE");
    command.add_option("--csv", options.csv, "Write the results as a table for spreadsheets")
        ->type_name("FILE");
    command
        .add_option("--html", options.html,
                    "Write a page with a roofline plot, which loads nothing from anywhere")
        ->type_name("FILE");
    command
        .add_option(
            "--compare", options.compare,
            "What an earlier run wrote with --json: show how the times have changed, and which "
            "changes are beyond noise")
        ->type_name("FILE");
    add_quiet_flag(command, options.quiet);
}

int bench_kernels(BenchKernelsOptions options) {
    if (options.list) return list(options);
    if (options.run.quick) options.run.measure.samples = std::min(options.run.measure.samples, 5u);
    // Nothing is kept from the run before, so that compile times are those of a first start.
    Device device({.select = options.device,
                   .disabled = options.disabled,
                   .executable_statistics = !options.run.check_only});
    const auto selection =
        bench::select_cases(options.filters, device.info().is_cpu, options.all, options.run.quick);
    if (options.tuned) use_stored_tuning(device);

    const bool table = options.json != "-";
    const auto earlier = read_earlier(options.compare);  // --json may replace it
    auto json = table ? report_file(options.json, {}) : std::nullopt,
         csv = report_file(options.csv, {options.json}),
         html = report_file(options.html, {options.json, options.csv});
    Progress progress(options.quiet);
    const bench::Listener listener{
        .on_begin =
            [&](const bench::Report& report) {
                progress.clear();
                if (table) print(bench::heading(report));
            },
        .on_case =
            [&](const bench::Case& c, std::size_t number) {
                progress.update(
                    static_cast<double>(number) / static_cast<double>(selection.cases.size()),
                    c.name());
            },
        .on_result =
            [&](const bench::Report& so_far, const bench::Result& result) {
                progress.clear();
                if (table) print(bench::table_row(so_far, result));
            }};
    const bench::Report report = bench::run(
        device, selection, options.run,
        {.version = ASSAY_VERSION, .date = utc_now(), .selection = selection_text(selection)},
        listener);
    progress.clear();
    auto document = bench::to_json(report);
    if (earlier) document["comparison"] = bench::comparison_json(report, *earlier);
    if (table)
        print(bench::closing(report) + (earlier ? bench::comparison_text(report, *earlier) : ""));
    else
        print(json_text(document, 2));
    if (json) json->write(json_text(document, 2));
    if (csv) csv->write(bench::to_csv(report));
    if (html) html->write(bench::to_html(report));
    return report.correct() ? exit_code::done : exit_code::failed;
}

}  // namespace assay::cli
