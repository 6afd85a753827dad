#include <CLI/CLI.hpp>
#include <memory>

#include "grader/cli/bench_grading.h"
#include "grader/cli/bench_kernels.h"
#include "grader/cli/bench_model.h"
#include "grader/cli/bench_rows.h"
#include "grader/cli/bench_tune.h"
#include "grader/cli/commands.h"

namespace assay::cli {
namespace {

Action add_options(CLI::App& command) {
    command.require_subcommand(1);
    CLI::App* model = command.add_subcommand(
        "model", "Time a model: loading, start-up, reading a prompt, writing a text");
    model->footer("Example:\n  assay bench model --model demo --prompt 512 --generate 64");
    const auto model_options = std::make_shared<BenchModelOptions>();
    add_bench_model_options(*model, *model_options);

    CLI::App* rows = command.add_subcommand(
        "rows", "Time the steps that write a token of each of 1, 2, ... 64 texts");
    rows->footer("Example:\n  assay bench rows --model demo --rows 1-64 --past 256");
    const auto rows_options = std::make_shared<BenchRowsOptions>();
    add_bench_rows_options(*rows, *rows_options);

    CLI::App* grading = command.add_subcommand(
        "grading", "Time grading: items of four shapes, with 1 to 64 texts written at once");
    grading->footer(
        "Example:\n  assay bench grading --model demo --shapes absolute,pairs --at-once 1,32");
    const auto grading_options = std::make_shared<BenchGradingOptions>();
    add_bench_grading_options(*grading, *grading_options);

    CLI::App* kernels = command.add_subcommand(
        "kernels",
        "Time every kernel, check its answers, and compare it with what the device can do");
    kernels->footer(
        "Example:\n"
        "  assay bench kernels\n"
        "  assay bench kernels --filter 'matmul q4_0 mistral rows=1..8' --json results.json\n"
        "  assay bench kernels --check --all --filter 'tiny rows=1..4'");
    const auto kernels_options = std::make_shared<BenchKernelsOptions>();
    add_bench_kernels_options(*kernels, *kernels_options);

    CLI::App* tune = command.add_subcommand(
        "tune",
        "Find the fastest ways to multiply matrices and to attend on a device, and keep them");
    tune->footer(
        "Example:\n"
        "  assay bench tune\n"
        "  assay bench tune --model prometheus-7b-v2.0.Q4_K_M.gguf\n"
        "  assay bench tune --forget");
    const auto tune_options = std::make_shared<BenchTuneOptions>();
    add_bench_tune_options(*tune, *tune_options);

    return [=] {
        return tune->parsed()      ? bench_tune(*tune_options)
               : kernels->parsed() ? bench_kernels(*kernels_options)
               : model->parsed()   ? bench_model(*model_options)
               : rows->parsed()    ? bench_rows(*rows_options)
                                   : bench_grading(*grading_options);
    };
}

}  // namespace

extern const Command bench_command;
const Command bench_command{
    .name = "bench",
    .summary = "Measure how fast kernels and models run on a device",
    .description =
        "bench kernels times every operation at the shapes of real models, beside what the device "
        "can do at best, and checks the answers (docs/bench.md).\n"
        "bench tune measures which of the ways to compute a matrix product is the fastest on the "
        "device, for each format and number of rows; runs of models go by it from then on.\n"
        "bench model times loading and start-up, reading a prompt (prefill) and writing a text "
        "(decode), with the memory they take. It measures the device's copy rate in the same run: "
        "writing a token reads every weight once, so the share of that rate says how much is left "
        "to gain.\n"
        "bench rows times decode steps by the number of texts in them: the time a step takes "
        "should grow little and evenly with each text more.\n"
        "bench grading times whole items, with as many texts written at once as told: what a user "
        "of `assay grade` gets.",
    .example = "assay bench model --model demo --prompt 512 --generate 64",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
