#pragma once
#include <nlohmann/json_fwd.hpp>

#include "grader/graded_items.h"
#include "grader/report/run.h"

namespace assay::report {

// The rows of the table of records: {"fields": [name...], "rows": [[value...]...]}, one for each
// record of the first run, in their order. A row ends with its last field that is not null:
//   id, verdict, expected, confidence, entropy, probs
//   calibrated the expected after calibration; scale: what the verdict is on another scale
//   label      the mean of scores, or "A", "B" or "tie"; labels: by who said it
//   kinds      of unscored, forced, inconsistent, differs (from the label), judges_differ, warned
//   ms, tokens (written), characters, finish, group, names (who wrote the responses)
//   feedback   [{"order" or sample, "verdict", "text"}...]
//   warnings, reason, error
//   instruction, responses, reference: of the item, if it is among the items
//   other      {"verdict", "expected", "feedback"} of the record of that id in the second run
nlohmann::ordered_json rows(const Run& run, const Run* other, const GradedItems& items);

}  // namespace assay::report
