#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "grader/calibration.h"
#include "grader/results.h"

namespace assay {

struct CalibrationOptions {
    CalibrationMethod method = CalibrationMethod::temperature;
    std::string label = "label";  // the column: scores of 1 to 5, or "A", "B" and "tie"
    std::size_t folds = 5;
    std::uint64_t seed = 0;  // of what is in which fold
};

constexpr std::size_t least_calibration_items = 10;

// Fits probabilities of graded results to their labels, scores and pairs apart. A label between two
// scores counts as both, by its distance from the other; a tie as both A and B by half. A mode with
// fewer than 10 such items is left out. Throws an Error if no mode is left, the records are of
// several judges or profiles, or one is on another scale.
Calibration calibrate(std::span<const Result> results, const CalibrationOptions& options);

}  // namespace assay
