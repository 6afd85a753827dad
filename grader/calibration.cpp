#include "grader/calibration.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>

#include "grader/statistics/temperature.h"
#include "grader/verdict.h"
#include "runtime/error.h"
#include "runtime/sha256.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

constexpr int format_version = 1;

Json to_json(const ModeCalibration& fit, CalibrationMethod method) {
    Json json{{"n", fit.n}};
    if (method == CalibrationMethod::temperature)
        json["temperature"] = fit.temperature;
    else
        json["curve"] = {{"x", fit.curve.x}, {"y", fit.curve.y}};
    for (const CalibrationFigure& figure : fit.figures)
        json["figures"][figure.name] = {{"before", figure.before}, {"after", figure.after}};
    return json;
}

ModeCalibration fit_of(const Json& json, CalibrationMethod method) {
    ModeCalibration fit{.n = json.at("n").get<std::size_t>()};
    if (method == CalibrationMethod::temperature) {
        fit.temperature = json.at("temperature").get<double>();
        if (!(fit.temperature >= least_temperature && fit.temperature <= greatest_temperature))
            throw Error("temperature: " + std::to_string(fit.temperature) + " found, " +
                        std::to_string(least_temperature) + " to " +
                        std::to_string(greatest_temperature) + " expected");
    } else {
        fit.curve.x = json.at("curve").at("x").get<std::vector<double>>();
        fit.curve.y = json.at("curve").at("y").get<std::vector<double>>();
        if (fit.curve.x.size() != fit.curve.y.size() || fit.curve.x.empty())
            throw Error("curve: " + std::to_string(fit.curve.x.size()) + " x and " +
                        std::to_string(fit.curve.y.size()) + " y");
        // No two x are equal: between them the curve would be nowhere.
        if (std::ranges::adjacent_find(fit.curve.x, std::greater_equal()) != fit.curve.x.end() ||
            !std::ranges::is_sorted(fit.curve.y))
            throw Error("curve: its points do not rise");
    }
    if (json.contains("figures"))
        for (const auto& [name, figure] : json["figures"].items())
            fit.figures.push_back(
                {name, figure.at("before").get<double>(), figure.at("after").get<double>()});
    return fit;
}

Calibration calibration_of(const Json& json) {
    if (json.at("calibration") != format_version)
        throw Error("calibration is " + json["calibration"].dump() + " in the file, " +
                    std::to_string(format_version) + " is what this version reads");
    Calibration calibration{
        .method = calibration_method_named(json.at("method").get<std::string>()),
        .label = json.at("label").get<std::string>(),
        .profile = json.at("profile").get<std::string>(),
        .judge = json.at("judge").is_object() ? json["judge"] : Json(),
        .folds = json.at("folds").get<std::size_t>(),
        .seed = json.at("seed").get<std::uint64_t>()};
    for (const Mode mode : {Mode::absolute, Mode::relative})
        if (const std::string key(name(mode)); json.contains(key))
            (mode == Mode::absolute ? calibration.absolute : calibration.relative) =
                fit_of(json[key], calibration.method);
    return calibration;
}

}  // namespace

std::string_view name(CalibrationMethod method) {
    return method == CalibrationMethod::temperature ? "temperature" : "isotonic";
}

CalibrationMethod calibration_method_named(std::string_view text) {
    for (const auto method : {CalibrationMethod::temperature, CalibrationMethod::isotonic})
        if (text == name(method)) return method;
    throw std::runtime_error("method: \"" + std::string(text) +
                             "\" found, temperature or isotonic expected");
}

double value_of(Mode mode, std::span<const double> probabilities) {
    if (mode == Mode::relative) return probabilities[0];
    double sum = 0;
    for (std::size_t i = 0; i < probabilities.size(); ++i)
        sum += Verdict{legal_verdicts(mode)[i]}.score() * probabilities[i];
    return sum;
}

Calibrated calibrated(const ModeCalibration& fit, CalibrationMethod method, Mode mode,
                      std::span<const double> probabilities) {
    if (method == CalibrationMethod::temperature) {
        auto scaled = at_temperature(probabilities, fit.temperature);
        const double value = value_of(mode, scaled);
        return {value, std::move(scaled)};
    }
    const double value = fit.curve.at(value_of(mode, probabilities));
    if (mode == Mode::absolute) return {.value = value};
    return {value, {value, 1 - value}};
}

std::optional<Calibrated> Calibration::apply(Mode mode,
                                             std::span<const double> probabilities) const {
    const auto& fit = of(mode);
    if (!fit) return std::nullopt;
    return calibrated(*fit, method, mode, probabilities);
}

ToldProbabilities told_probabilities(const Calibration* calibration, Mode mode,
                                     std::span<const double> probabilities) {
    auto applied = calibration ? calibration->apply(mode, probabilities) : std::nullopt;
    if (applied && !applied->probabilities.empty())
        return {std::move(applied->probabilities), true};
    return {{probabilities.begin(), probabilities.end()}};
}

Json to_json(const Calibration& calibration) {
    Json json{{"calibration", format_version}, {"method", name(calibration.method)},
              {"label", calibration.label},    {"profile", calibration.profile},
              {"judge", calibration.judge},    {"folds", calibration.folds},
              {"seed", calibration.seed}};
    for (const Mode mode : {Mode::absolute, Mode::relative})
        if (const auto& fit = calibration.of(mode))
            json[std::string(name(mode))] = to_json(*fit, calibration.method);
    return json;
}

Calibration parse_calibration(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("calibration"))
        throw Error("no calibration: assay calibrate writes one");
    try {
        Calibration calibration = calibration_of(json);
        Sha256 hash;
        hash.add(text);
        calibration.sha256 = hash.finish();
        return calibration;
    } catch (const Json::exception& error) {
        throw Error("damaged calibration: " + std::string(error.what()));
    } catch (const std::runtime_error& error) {
        throw Error(error.what());
    }
}

}  // namespace assay
