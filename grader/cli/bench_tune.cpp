#include "grader/cli/bench_tune.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/kernels/results.h"
#include "grader/cli/bench_support.h"
#include "grader/cli/commands.h"
#include "grader/cli/output_file.h"
#include "grader/cli/quantised.h"
#include "grader/cli/terminal.h"
#include "grader/cli/tuning.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

void print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

const bench::ModelShape& model_shape(std::string_view name) {
    return *std::ranges::find(bench::model_shapes, name, &bench::ModelShape::name);
}

// Shapes of a judge, or what a CPU implementation can be measured on.
std::vector<bench::Shape> usual_shapes(bool is_cpu) {
    if (is_cpu) return bench::shapes_to_tune(model_shape("small"));
    auto shapes = bench::shapes_to_tune(model_shape("mistral-7b"));
    shapes.push_back(bench::shapes_to_tune(model_shape("mixtral-8x7b")).back());
    return shapes;
}

bench::TuneOptions usual_options(const BenchTuneOptions& options, bool is_cpu) {
    bench::TuneOptions tuning{.formats = {}, .shapes = usual_shapes(is_cpu)};
    for (const std::string& name : options.formats)
        tuning.formats.push_back(*format_from_name(name));
    return tuning;
}

std::string format_of_weights(const std::string& name) {
    return format_from_name(name) ? "" : "\"" + name + "\" is no format of weights";
}

int forget(const Device& device) {
    const auto file = tuning_file(device);
    std::error_code error;
    const bool was_there = std::filesystem::remove(file, error);
    if (error) throw Error(file.string() + ": " + error.message());
    print(was_there ? "forgotten: " + file.string() + "\n" : "nothing was kept\n");
    return exit_code::done;
}

std::string closing(const bench::TuneReport& report, const std::filesystem::path& file) {
    const auto better = std::ranges::count_if(
        report.classes, [](const bench::TunedClass& tuned) { return tuned.best > 0; });
    std::string text;
    for (const std::string& line : report.left_out) text += "left out: " + line + "\n";
    return text + std::to_string(better) + " of " + std::to_string(report.classes.size()) +
           " kinds of work are computed faster than usual; kept in " + file.string() + "\n";
}

}  // namespace

void add_bench_tune_options(CLI::App& command, BenchTuneOptions& options) {
    CLI::Option* model = add_model_option(command, options.run.model)
                             ->required(false)
                             ->description(
                                 "Tune for the shapes and formats of this model: a "
                                 "directory, a GGUF file, or demo");
    command.add_option("--formats", options.formats, "Tune for weights of these formats")
        ->delimiter(',')
        ->check(format_of_weights)
        ->excludes(model)
        ->type_name("FORMATS")
        ->default_str("q4_0,q4_k,q8_0,f16");
    command
        .add_option_function<std::string>(
            "--device", [&options](const std::string& name) { options.run.devices = {name}; },
            "Index or part of a name, as `assay devices` lists them (default: the fastest)")
        ->type_name("DEVICE");
    command.add_option("--seconds", options.seconds, "No further kind of work is begun after them")
        ->check(number_from(0))
        ->capture_default_str()
        ->type_name("SECONDS");
    add_activations_option(command, options.run.int8_activations);
    command.add_flag("--quick", options.quick,
                     "One format, few rows and few samples: a few seconds");
    command.add_flag("--forget", options.forget, "Remove what is kept of the device");
    command.add_option("--json", options.json, "Write the results as JSON; -: to standard output")
        ->type_name("FILE");
    add_quiet_flag(command, options.run.quiet);
}

int bench_tune(const BenchTuneOptions& options) {
    Device device({.select = options.run.devices.empty() ? "" : options.run.devices.front()});
    if (options.forget) return forget(device);
    const DeviceInfo& info = device.info();

    std::optional<Checkpoint> checkpoint;
    bench::ModelShape shape{};
    if (!options.run.model.empty()) {
        checkpoint.emplace(model_path(options.run));
        shape = shape_of(checkpoint->config());
    }
    bench::TuneOptions tuning =
        checkpoint ? tune_options(*checkpoint, shape) : usual_options(options, info.is_cpu);
    tuning.most_seconds = options.seconds;
    tuning.int8 = options.run.int8_activations;
    if (options.quick) {
        tuning.formats.resize(1);
        tuning.caches.resize(1);
        tuning.most_rows = 8;
        tuning.samples = 5;
    }

    const bool table = options.json != "-";
    auto json = table ? report_file(options.json, {}) : std::nullopt;
    if (table) {
        if (info.is_cpu) print(std::string(bench::cpu_banner) + "\n");
        print(info.name + ", " + info.driver + "\n\n" + bench::table_heading());
    }
    Progress progress(options.run.quiet);
    const bench::TuneReport report = bench::tune(
        device, tuning,
        {.on_class = [&](const std::string& what, double share) { progress.update(share, what); },
         .on_result =
             [&](const bench::TunedClass& tuned) {
                 progress.clear();
                 if (table) print(bench::table_row(tuned));
             }});
    progress.clear();
    store_tuning(device, tuning, report);
    nlohmann::ordered_json document{{"schema", bench::tune_schema_version},
                                    {"version", ASSAY_VERSION},
                                    {"date", utc_now()},
                                    {"device", info.name},
                                    {"driver", info.driver},
                                    {"kept_in", tuning_file(device).string()}};
    document.update(bench::to_json(report));
    print(table ? closing(report, tuning_file(device)) : json_text(document, 2));
    if (json) json->write(json_text(document, 2));
    return std::ranges::all_of(report.classes, &bench::TunedClass::correct) ? exit_code::done
                                                                            : exit_code::failed;
}

}  // namespace assay::cli
