#include "grader/calibrate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "grader/statistics/reliability.h"
#include "grader/statistics/temperature.h"
#include "grader/verdict.h"
#include "model/engine/random.h"
#include "runtime/error.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

// The graded items of one mode that have a label, each a row of every column.
struct Observations {
    Mode mode;
    std::vector<Distribution> probabilities, targets;  // of legal_verdicts(mode)
    std::vector<double> labels;                        // the score, or 1 for A, 0 for B

    std::size_t size() const { return labels.size(); }
    Observations only(std::span<const std::size_t> rows) const {
        Observations some{.mode = mode, .probabilities = {}, .targets = {}, .labels = {}};
        for (const std::size_t row : rows) {
            some.probabilities.push_back(probabilities[row]);
            some.targets.push_back(targets[row]);
            some.labels.push_back(labels[row]);
        }
        return some;
    }
};

std::optional<Distribution> probabilities_of(const Result& result, Mode mode) {
    Distribution probabilities;
    for (const char symbol : legal_verdicts(mode)) {
        const auto p = result.number("probs." + std::string(1, symbol));
        if (!p || *p < 0 || *p > 1) return std::nullopt;
        probabilities.push_back(*p);
    }
    const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
    if (sum == 0) return std::nullopt;
    for (double& p : probabilities) p /= sum;
    return probabilities;
}

std::optional<double> label_value(const Cell& cell, Mode mode) {
    if (mode == Mode::absolute) {
        const auto* score = std::get_if<double>(&cell);
        return score && *score >= 1 && *score <= 5 ? std::optional(*score) : std::nullopt;
    }
    const auto* word = std::get_if<std::string>(&cell);
    if (!word) return std::nullopt;
    if (*word == "tie") return 0.5;
    return *word == "A" ? std::optional(1.0) : *word == "B" ? std::optional(0.0) : std::nullopt;
}

// What the probabilities should be.
Distribution target_of(double label, Mode mode) {
    if (mode == Mode::relative) return {label, 1 - label};
    Distribution target;
    for (const char symbol : legal_verdicts(mode))
        target.push_back(std::max(0.0, 1 - std::fabs(Verdict{symbol}.score() - label)));
    return target;
}

Observations observations_of(std::span<const Result> results, Mode mode,
                             const std::string& label_column) {
    Observations observations{.mode = mode, .probabilities = {}, .targets = {}, .labels = {}};
    for (const Result& result : results) {
        if (!result.scored() || result.mode != mode) continue;
        const auto probabilities = probabilities_of(result, mode);
        const auto label = label_value(cell(result, label_column), mode);
        if (!probabilities || !label) continue;
        observations.probabilities.push_back(*probabilities);
        observations.targets.push_back(target_of(*label, mode));
        observations.labels.push_back(*label);
    }
    return observations;
}

ModeCalibration fit(const Observations& observations, CalibrationMethod method) {
    ModeCalibration fitted{.n = observations.size()};
    if (method == CalibrationMethod::temperature) {
        fitted.temperature = fit_temperature(observations.probabilities, observations.targets);
        return fitted;
    }
    std::vector<double> values;
    for (const Distribution& p : observations.probabilities)
        values.push_back(value_of(observations.mode, p));
    fitted.curve = fit_rising_curve(values, observations.labels);
    if (observations.mode == Mode::relative) {
        // Not even the most lopsided items are certain: half of one of them may be otherwise.
        const double margin = 0.5 / static_cast<double>(observations.size());
        for (double& p : fitted.curve.y) p = std::clamp(p, margin, 1 - margin);
    }
    return fitted;
}

// The indices of each fold, drawn by seed.
std::vector<std::vector<std::size_t>> folds_of(std::size_t n, const CalibrationOptions& options) {
    std::vector<std::pair<std::array<std::uint32_t, 4>, std::size_t>> drawn;
    for (std::size_t i = 0; i < n; ++i)
        drawn.emplace_back(philox({static_cast<std::uint32_t>(i), 0, 0, 0},
                                  {static_cast<std::uint32_t>(options.seed),
                                   static_cast<std::uint32_t>(options.seed >> 32)}),
                           i);
    std::ranges::sort(drawn);
    std::vector<std::vector<std::size_t>> folds(options.folds);
    for (std::size_t i = 0; i < n; ++i) folds[i % options.folds].push_back(drawn[i].second);
    return folds;
}

// What every item becomes by a fit on the other folds.
std::vector<Calibrated> cross_validated(const Observations& observations,
                                        const CalibrationOptions& options) {
    const auto folds = folds_of(observations.size(), options);
    std::vector<Calibrated> predictions(observations.size());
    for (const std::vector<std::size_t>& fold : folds) {
        std::vector<std::size_t> others;
        for (const std::vector<std::size_t>& other : folds)
            if (&other != &fold) others.insert(others.end(), other.begin(), other.end());
        const ModeCalibration fitted = fit(observations.only(others), options.method);
        for (const std::size_t i : fold)
            predictions[i] = calibrated(fitted, options.method, observations.mode,
                                        observations.probabilities[i]);
    }
    return predictions;
}

double mean_square_error(const Observations& observations,
                         std::span<const Calibrated> predictions) {
    double sum = 0;
    for (std::size_t i = 0; i < predictions.size(); ++i)
        sum += std::pow(predictions[i].value - observations.labels[i], 2);
    return sum / static_cast<double>(predictions.size());
}

double nll(const Observations& observations, std::span<const Calibrated> predictions) {
    std::vector<Distribution> probabilities;
    for (const Calibrated& prediction : predictions)
        probabilities.push_back(prediction.probabilities);
    return cross_entropy(probabilities, observations.targets);
}

// Of the likeliest verdict, which is right by as much as the label is it.
double ece(const Observations& observations, std::span<const Calibrated> predictions) {
    std::vector<double> confidence, correct;
    for (std::size_t i = 0; i < predictions.size(); ++i) {
        const auto& p = predictions[i].probabilities;
        const auto likeliest = std::ranges::max_element(p) - p.begin();
        confidence.push_back(std::min(1.0, p[static_cast<std::size_t>(likeliest)]));
        correct.push_back(observations.targets[i][static_cast<std::size_t>(likeliest)]);
    }
    return *expected_calibration_error(confidence, correct);
}

std::vector<CalibrationFigure> compare(const Observations& observations,
                                       const CalibrationOptions& options) {
    std::vector<Calibrated> before;
    for (const Distribution& p : observations.probabilities)
        before.push_back({value_of(observations.mode, p), p});
    const std::vector<Calibrated> after = cross_validated(observations, options);
    std::vector<CalibrationFigure> figures;
    const auto add = [&](const char* name, auto of) {
        figures.push_back({name, of(observations, before), of(observations, after)});
    };
    if (!after.front().probabilities.empty()) {
        add("nll", nll);
        add("ece", ece);
    }
    add("mse", mean_square_error);
    return figures;
}

// Of all results the same; or an Error.
Json common(std::span<const Result> results, const char* field) {
    const Json* first = nullptr;
    for (const Result& result : results) {
        const Json* value = result.scored() ? result.find(field) : nullptr;
        if (first && value && *first != *value)
            throw Error(std::string(field) + " is " + first->dump() + " in some records and " +
                        value->dump() + " in others: calibrate them apart");
        if (!first) first = value;
    }
    return first ? *first : Json();
}

}  // namespace

Calibration calibrate(std::span<const Result> results, const CalibrationOptions& options) {
    for (const Result& result : results)
        if (result.scale)
            throw Error("line " + std::to_string(result.line) + ": is on the scale " +
                        std::string(result.scale->name) + ", scores of 1 to 5 are calibrated");
    const Json profile = common(results, "profile");
    Calibration calibration{.method = options.method,
                            .absolute = {},
                            .relative = {},
                            .label = options.label,
                            .profile = profile.is_string() ? profile.get<std::string>() : "",
                            .judge = common(results, "judge"),
                            .folds = options.folds,
                            .seed = options.seed};
    std::size_t most = 0;
    for (const Mode mode : {Mode::absolute, Mode::relative}) {
        const Observations observations = observations_of(results, mode, options.label);
        most = std::max(most, observations.size());
        if (observations.size() < least_calibration_items) continue;
        ModeCalibration fitted = fit(observations, options.method);
        fitted.figures = compare(observations, options);
        (mode == Mode::absolute ? calibration.absolute : calibration.relative) = std::move(fitted);
    }
    if (most < least_calibration_items)
        throw Error(std::to_string(most) + " items with probabilities and a " + options.label +
                    ", at least " + std::to_string(least_calibration_items) + " expected");
    return calibration;
}

}  // namespace assay
