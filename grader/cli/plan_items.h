#pragma once
#include "grader/cli/grade_options.h"
#include "grader/item_source.h"

namespace assay::cli {

// Shows what grading the items of a source would take, without a device. Returns the exit code that
// grading them would have.
int plan_items(const GradeOptions& options, ItemSource& items);

}  // namespace assay::cli
