#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "grader/graded_items.h"
#include "grader/item_source.h"
#include "grader/pairs.h"
#include "grader/results.h"

namespace assay {

// Responses to make pairs of, and how many others there were.
struct ScoredResponses {
    std::vector<ScoredResponse> responses;
    std::size_t pairs = 0;         // which are pairs already
    std::size_t unscored = 0;      // without a score
    std::size_t without_item = 0;  // records whose item is not there
    std::vector<BadItem> bad = {};
};

// Of items with labels. `score` is "label", the mean of its scores, or "label.NAME", of those that
// NAME gave. Throws an Error if it is something else, and what reading items throws.
ScoredResponses labelled_responses(ItemSource& items, const std::string& score);

// Of records and the items they were made of. `score` is a column as cell() has it: "score",
// "expected_score", "label.human". What the judge wrote is the feedback. Throws an Error that names
// line and column if a score is no number.
ScoredResponses graded_responses(std::span<const Result> records, const GradedItems& items,
                                 const std::string& score);

// A judge's text up to where it states its verdict after "[RESULT]".
std::string without_verdict(std::string_view feedback);

}  // namespace assay
