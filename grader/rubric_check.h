#pragma once
#include <string>
#include <vector>

#include "grader/rubric.h"

namespace assay {

// What is to be said of a rubric, each in one line.
struct RubricFindings {
    std::vector<std::string> problems;  // no judge can grade by it
    std::vector<std::string> warnings;
};

// Criteria must not be blank; there must be five levels or none, in their order, none of them blank
// or the same as another but for white space and capitals (of A to Z). Warns of a rubric without
// levels, unless it is for pairs, and of two levels that differ by next to nothing: punctuation,
// or in one place that is less than a twentieth of them and no number.
RubricFindings check_rubric(const Rubric& rubric, Mode mode = Mode::absolute);

// Whether it tells the judge of a reference answer.
bool mentions_reference(const Rubric& rubric);

}  // namespace assay
