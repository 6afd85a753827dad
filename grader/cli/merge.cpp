#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "grader/cli/commands.h"
#include "grader/cli/merge_options.h"
#include "grader/cli/merge_run.h"
#include "grader/cli/merge_sweep.h"
#include "grader/cli/output_file.h"

namespace assay::cli {
namespace {

int run(const MergeArguments& arguments) {
    check(arguments);
    const std::string text = read_config(arguments);
    if (!arguments.sweep.empty()) return run_sweep(arguments, text);
    const Merged merged = merge_to(parse_config(arguments, text), arguments.to, arguments);
    if (arguments.json)
        std::fputs(json_text(to_json(merged, arguments), -1).c_str(), stdout);
    else if (!arguments.quiet)
        std::fputs(to_text(merged, arguments).c_str(), stdout);
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto arguments = std::make_shared<MergeArguments>();
    add_merge_options(command, *arguments);
    return [arguments, &command] {
        finish(command, *arguments);
        return run(*arguments);
    };
}

}  // namespace

extern const Command merge_command;
const Command merge_command{
    .name = "merge",
    .summary = "Merge models into one: mergekit's configurations, LoRA adapters",
    .description =
        "Reads Hugging Face directories and writes one, a tensor at a time. Methods: linear, "
        "slerp, task_arithmetic, ties, dare_linear, dare_ties, and supermario, by which "
        "Prometheus 2 8x7B was made. The folder appears when all of it is written; "
        "assay_merge.json in it says what it was made of and how.",
    .example =
        "assay merge prometheus.yml prometheus-7b --then-quantize q8_0\n"
        "  assay merge sweep.yml judges --sweep weight=0.3:0.7:0.1 --eval vicuna --data "
        "vicuna_eval.json",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
