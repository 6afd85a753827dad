#include "grader/cli/commands.h"

#include <array>

namespace assay::cli {

extern const Command devices_command, info_command, grade_command, render_command, tokenize_command,
    logits_command, bench_command, drift_command, quantize_command, imatrix_command, score_command,
    report_command, eval_command, rank_command, calibrate_command, merge_command, import_command,
    pairs_command, rubric_command;

std::span<const Command* const> commands() {
    static constexpr std::array table{
        &grade_command, &rank_command,   &import_command,    &pairs_command, &rubric_command,
        &score_command, &report_command, &calibrate_command, &eval_command,  &devices_command,
        &info_command,  &drift_command,  &quantize_command,  &merge_command, &imatrix_command,
        &bench_command, &render_command, &tokenize_command,  &logits_command};
    return table;
}

}  // namespace assay::cli
