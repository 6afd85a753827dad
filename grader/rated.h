#pragma once
#include <optional>

#include "grader/results.h"

// What a judge says of a response on the scale of its record: 1 to 5, or that of `--scale`. Labels
// are read on the same one. All are of scored absolute results.
namespace assay {

double score_on_scale(const Result& result);
std::optional<double> expected_on_scale(const Result& result);    // by the judge's probabilities
std::optional<double> confidence_on_scale(const Result& result);  // how likely it holds the score

// What a label is as a score: the nearest value of the scale, of two the greater. Nothing if it is
// outside of the scale.
std::optional<double> rating_of(const Result& result, double label);

}  // namespace assay
