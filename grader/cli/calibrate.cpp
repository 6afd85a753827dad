#include "grader/calibrate.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/output_file.h"
#include "grader/statistics/temperature.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

struct Options {
    std::string results, output;
    CalibrationOptions calibration;
    bool force = false, json = false;
};

std::string text(const char* format, auto... values) {
    char line[200];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

std::string table(const Calibration& calibration) {
    std::string lines;
    for (const Mode mode : {Mode::absolute, Mode::relative}) {
        const auto& fit = calibration.of(mode);
        if (!fit) continue;
        lines += std::string(name(mode)) + ": " + std::to_string(fit->n) + " items, ";
        lines += calibration.method == CalibrationMethod::temperature
                     ? text("temperature %.3f\n", fit->temperature)
                     : text("a curve through %zu points\n", fit->curve.x.size());
        for (const CalibrationFigure& figure : fit->figures)
            lines += text("  %-4s %.4f, calibrated %.4f\n", figure.name.c_str(), figure.before,
                          figure.after);
    }
    return lines;
}

// A temperature at its limit was not fitted: the more extreme, the better.
void warn_of_limits(const Calibration& calibration) {
    if (calibration.method != CalibrationMethod::temperature) return;
    for (const Mode mode : {Mode::absolute, Mode::relative})
        if (const auto& fit = calibration.of(mode); fit && at_limit(fit->temperature))
            std::fprintf(stderr, "warning: %s: temperature %g is the limit: the labels %s\n",
                         std::string(name(mode)).c_str(), fit->temperature,
                         fit->temperature > 1 ? "have nothing to do with the probabilities"
                                              : "are those of the likeliest verdicts throughout");
}

int run(const Options& options) {
    const Calibration calibration = calibrate(read_results(options.results), options.calibration);
    const std::string json = to_json(calibration).dump(2) + "\n";
    const bool to_file = !options.output.empty() && options.output != "-";
    if (to_file) {
        const OutputFile file = open_output(options.output, options.results, options.force);
        if (std::fputs(json.c_str(), file.get()) < 0 || std::fflush(file.get()) != 0)
            throw Error(options.output + ": cannot be written");
    }
    warn_of_limits(calibration);
    const bool as_json = options.json || options.output == "-";
    std::fputs((as_json ? json : table(calibration)).c_str(), stdout);
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("results", options->results,
                    "Records of assay grade with labels; - is standard input")
        ->required()
        ->type_name("RESULTS");
    command.add_option("-o,--output", options->output, "Where the calibration goes")
        ->type_name("FILE");
    command.add_flag("--force", options->force, "Replace the file of -o if it is there");
    command
        .add_option_function<std::string>(
            "--method",
            [options](const std::string& name) {
                options->calibration.method = calibration_method_named(name);
            },
            "temperature (default): makes all probabilities surer or less sure; isotonic: bends "
            "the "
            "expected score, or the probability of A, to the labels by a rising curve")
        ->check(one_of({"temperature", "isotonic"}))
        ->type_name("METHOD");
    command
        .add_option("--against", options->calibration.label,
                    "The labels (default: label): label.human")
        ->type_name("COLUMN");
    command
        .add_option("--seed", options->calibration.seed,
                    "Of the folds of the cross-validation (default 0)")
        ->check(integer_between(0, std::numeric_limits<std::uint64_t>::max()))
        ->type_name("NUMBER");
    add_json_flag(command, options->json);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command calibrate_command;
const Command calibrate_command{
    .name = "calibrate",
    .summary = "Fit a judge's probabilities to labels",
    .description =
        "Learns from graded items with labels how the judge's probabilities should be read, scores "
        "and pairs apart, for assay grade --calibration. Shows how far they are from the labels, "
        "as "
        "they are and calibrated: cross-entropy (nll), calibration error (ece), and the squared "
        "error of the expected score or of the probability of A (mse). The calibrated figures are "
        "of items that the fit did not see (5 folds).\n"
        "In JSON: calibration (1), method, label, profile, judge, folds, seed, and absolute or "
        "relative or both: {n, temperature or curve {x, y}, figures: {NAME: {before, after}}}.",
    .example =
        "assay calibrate labelled-grades.jsonl -o calibration.json\n"
        "  assay grade --model judge.gguf -i items.jsonl -o grades.jsonl --calibration "
        "calibration.json",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
