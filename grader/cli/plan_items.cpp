#include "grader/cli/plan_items.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "grader/cli/commands.h"
#include "grader/cli/output_file.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"
#include "grader/plan.h"
#include "model/checkpoint.h"
#include "runtime/error.h"

namespace assay::cli {

int plan_items(const GradeOptions& options, ItemSource& items) {
    const Checkpoint checkpoint(resolve_model(options.run.model));
    const Tokenizer tokenizer = checkpoint.tokenizer();
    const GraderOptions grading = grader_options(options, checkpoint);
    Planner planner(tokenizer, grading, choose_context(checkpoint.config(), options.run.context));
    while (const auto item = items.next()) planner.add(*item);
    const Plan& plan = planner.plan();
    if (plan.lengths.empty() && plan.bad.empty()) throw Error("no items in " + options.input);
    const std::string text = options.json ? json_text(to_json(plan), 2) : harmless(text_of(plan));
    std::fputs(text.c_str(), stdout);
    return plan.unscored() > 0 ? exit_code::unscored_items : exit_code::done;
}

}  // namespace assay::cli
