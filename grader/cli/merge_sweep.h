#pragma once
#include <string>

#include "grader/cli/merge_options.h"

namespace assay::cli {

// Merges once for each value of arguments.sweep in the configuration `text`, measures what came of
// it if a benchmark is named, and prints all results. A model of this very merge that is there is
// not merged again, and one that is measured is not measured again. Returns the exit code. Throws
// an Error before anything is merged if one of the configurations is wrong or something else is in
// the way.
int run_sweep(const MergeArguments& arguments, const std::string& text);

}  // namespace assay::cli
