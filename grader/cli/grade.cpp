#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "grader/best_of.h"
#include "grader/cli/commands.h"
#include "grader/cli/grade_items.h"
#include "grader/cli/grade_options.h"
#include "grader/cli/items.h"
#include "grader/cli/output_file.h"
#include "grader/cli/plan_items.h"

namespace assay::cli {
namespace {

std::unique_ptr<ItemSource> items_of(const GradeOptions& options) {
    if (options.single())
        return std::make_unique<SingleItem>(single_item(options, defaults_of(options.items)));
    return open_items(options.input, options.items, options.seed);
}

void write(const BestOf& best, ReportFile& file, bool quiet) {
    std::string lines;
    for (const auto& line : best.lines()) lines += json_text(line, -1);
    file.write(lines);
    if (best.pairs() > 0 && !quiet)
        std::fprintf(stderr, "--best chooses by score: %zu pairs are left out\n", best.pairs());
}

int run(const GradeOptions& options) {
    check(options);
    const std::unique_ptr<ItemSource> items = items_of(options);
    if (options.plan) return plan_items(options, *items);
    std::optional<ReportFile> best_file =
        report_file(options.best, {options.input, options.output, options.summary});
    BestOf best;
    OnGraded on_graded;
    if (best_file)
        on_graded = [&best](const Item& item, std::size_t number, const RecordFacts& facts) {
            best.add(item, number, facts);
        };
    LoadedJudge judge(options.run, options.trace);
    const int code = grade_items(judge, options, *items,
                                 {.grading = grader_options(options, judge.checkpoint()),
                                  .on_graded = std::move(on_graded)});
    if (best_file) write(best, *best_file, options.run.quiet);
    judge.finish();
    return code;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<GradeOptions>();
    add_grade_options(command, *options);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command grade_command;
const Command grade_command{
    .name = "grade",
    .summary = "Grade responses: a score of 1 to 5, or the better of two",
    .description =
        "Grades the items of a file, or one item given by flags. An item is {\"id\", "
        "\"instruction\", \"response\", \"reference_answer\", \"rubric\"}, with response_A and "
        "response_B in place of response for a pair; id, reference_answer and, with --rubric, "
        "rubric may be absent. Records of other tools and of published datasets become items too "
        "(`assay import --list`). Every item gives a record with a verdict and its probabilities; "
        "an "
        "item that cannot be graded gives one that says why, and the exit code is then 3.\n"
        "Records go to the file of -o, in the order in which they are done, behind a line that "
        "says how they were made. The same command again grades what has no record yet. Without "
        "-o, records are shown on a terminal and printed as JSON lines elsewhere.",
    .example =
        "assay grade --model demo --rubric factual_validity \\\n"
        "      --instruction 'What is the capital of France?' --response 'Paris.'\n"
        "  assay grade --model demo -i items.jsonl --plan\n"
        "  assay grade --model demo -i items.jsonl -o grades.jsonl",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
