#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grader/mode.h"
#include "grader/statistics/isotonic.h"

namespace assay {

// How a judge's probabilities become ones that fit labels: all by one temperature, or the expected
// score (of pairs the probability of A) by a rising curve.
enum class CalibrationMethod { temperature, isotonic };
std::string_view name(CalibrationMethod method);
CalibrationMethod calibration_method_named(std::string_view name);  // throws a runtime_error

// How far from the labels: before, and after by fits that did not see the items.
struct CalibrationFigure {
    std::string name;  // nll, ece, mse
    double before = 0, after = 0;
};

struct ModeCalibration {
    double temperature = 1;  // of one method
    RisingCurve curve = {};  // of the other
    std::size_t n = 0;       // items it was fitted on
    std::vector<CalibrationFigure> figures = {};
};

// What a grade is after calibration.
struct Calibrated {
    double value = 0;                        // the expected score, or the probability of A
    std::vector<double> probabilities = {};  // of the legal verdicts; empty where none follow
};

struct Calibration {
    CalibrationMethod method = CalibrationMethod::temperature;
    std::optional<ModeCalibration> absolute = {}, relative = {};
    // What it was fitted on.
    std::string label = {};  // the column
    std::string profile = {};
    nlohmann::ordered_json judge = {};  // as records have it
    std::size_t folds = 0;
    std::uint64_t seed = 0;
    std::string sha256 = {};  // of the text it was read from; empty: it was not read

    const std::optional<ModeCalibration>& of(Mode mode) const {
        return mode == Mode::absolute ? absolute : relative;
    }
    // Of the probabilities of legal_verdicts(mode); nothing if it was not fitted on that mode.
    std::optional<Calibrated> apply(Mode mode, std::span<const double> probabilities) const;
};

// The mean of the scores 1 to 5 by their probabilities, or the first of two: the probability of A.
double value_of(Mode mode, std::span<const double> probabilities);

// Probabilities as grades are told by them: calibrated ones, or those given where there is no
// calibration or none follow from it.
struct ToldProbabilities {
    std::vector<double> values;
    bool calibrated = false;
};
ToldProbabilities told_probabilities(const Calibration* calibration, Mode mode,
                                     std::span<const double> probabilities);

Calibrated calibrated(const ModeCalibration& fit, CalibrationMethod method, Mode mode,
                      std::span<const double> probabilities);

nlohmann::ordered_json to_json(const Calibration& calibration);
// Reads what to_json made. Throws an Error that names what is wrong.
Calibration parse_calibration(std::string_view json);

}  // namespace assay
