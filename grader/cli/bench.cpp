#include <CLI/CLI.hpp>
#include <memory>

#include "grader/cli/bench_model.h"
#include "grader/cli/commands.h"

namespace assay::cli {
namespace {

Action add_options(CLI::App& command) {
    command.require_subcommand(1);
    CLI::App* model = command.add_subcommand(
        "model", "Time a model: loading, start-up, reading a prompt, writing a text");
    model->footer("Example:\n  assay bench model --model demo --prompt 512 --generate 64");
    const auto options = std::make_shared<BenchModelOptions>();
    add_bench_model_options(*model, *options);
    return [options] { return bench_model(*options); };
}

}  // namespace

extern const Command bench_command;
const Command bench_command{
    .name = "bench",
    .summary = "Measure how fast a model runs on a device",
    .description =
        "bench model times loading and start-up, reading a prompt (prefill) and writing a text "
        "(decode), with the memory they take. It measures the device's copy rate in the same run: "
        "writing a token reads every weight once, so the share of that rate says how much is left "
        "to gain.",
    .example = "assay bench model --model demo --prompt 512 --generate 64",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
