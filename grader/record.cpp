#include "grader/record.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "grader/calibration.h"
#include "grader/unicode.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

std::string_view name(VerdictSource source) {
    return source == VerdictSource::text ? "text" : "forced";
}

std::string_view name(Finish finish) {
    constexpr std::array<std::string_view, 3> names{"eos", "length", "verdict"};
    return names.at(static_cast<std::size_t>(finish));
}

std::string_view name(Order order) { return order == Order::ab ? "ab" : "ba"; }

double rounded_to_microseconds(double milliseconds) {
    return std::round(milliseconds * 1000) / 1000;
}

// More digits would only show how floats were added up; small numbers keep their size.
double rounded_to_6_digits(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return std::strtod(text, nullptr);
}

VerdictDistribution mean(std::span<const Grade> grades) {
    VerdictDistribution sum = grades.front().distribution;
    for (const Grade& grade : grades.subspan(1))
        std::ranges::transform(sum.probabilities, grade.distribution.probabilities,
                               sum.probabilities.begin(), std::plus());
    for (double& p : sum.probabilities) p /= static_cast<double>(grades.size());
    return sum;
}

// The most frequent; of equals the likeliest, of those the first.
Verdict majority(std::span<const Grade> grades, const VerdictDistribution& distribution) {
    const auto votes = [&](char symbol) {
        return std::pair(std::ranges::count(grades, Verdict{symbol}, &Grade::verdict),
                         distribution.of({symbol}));
    };
    return {*std::ranges::max_element(legal_verdicts(distribution.mode), {}, votes)};
}

// Those of order ab, then those of ba.
std::array<std::span<const Grade>, 2> by_order(std::span<const Grade> parts) {
    const auto ba = std::ranges::find(parts, Order::ba, &Grade::order);
    return {std::span(parts.begin(), ba), std::span(ba, parts.end())};
}

bool agree(std::span<const Grade> ab, std::span<const Grade> ba) {
    return combined(ab).verdict == combined(ba).verdict;
}

Json probabilities_json(Mode mode, std::span<const double> probabilities) {
    Json json = Json::object();
    for (std::size_t i = 0; i < probabilities.size(); ++i)
        json[std::string(1, legal_verdicts(mode)[i])] = rounded_to_6_digits(probabilities[i]);
    return json;
}

void add_verdict(Json& json, const Grade& grade) {
    const VerdictDistribution& distribution = grade.distribution;
    if (distribution.mode == Mode::absolute) {
        json["score"] = grade.verdict.score();
        json["expected_score"] = rounded_to_6_digits(distribution.expected_score());
    } else {
        json["verdict"] = std::string(1, grade.verdict.symbol);
        json["p_a"] = rounded_to_6_digits(distribution.of({'A'}));
    }
    json["probs"] = probabilities_json(distribution.mode, distribution.probabilities);
    json["confidence"] = rounded_to_6_digits(distribution.of(grade.verdict));
    json["entropy"] = rounded_to_6_digits(distribution.entropy());
}

void add_result(Json& json, const Grade& grade) {
    add_verdict(json, grade);
    json["parse"] = name(grade.source);
    json["feedback"] = grade.feedback;
    json["finish"] = name(grade.finish);
    if (grade.redraws > 0) json["redraws"] = grade.redraws;
    json["tokens"] = {{"prompt", grade.tokens.prompt},
                      {"cached", grade.tokens.cached},
                      {"generated", grade.tokens.generated}};
    json["ms"] = {{"prefill", rounded_to_microseconds(grade.milliseconds.prefill)},
                  {"decode", rounded_to_microseconds(grade.milliseconds.decode)}};
}

void add_calibrated(Json& json, const Record& record) {
    const auto* grade = std::get_if<Grade>(&record.result);
    if (!grade || !record.calibration) return;
    const Mode mode = grade->distribution.mode;
    const auto calibrated = record.calibration->apply(mode, grade->distribution.probabilities);
    if (!calibrated) return;
    Json& object = json["calibrated"];
    object[mode == Mode::absolute ? "score" : "p_a"] = rounded_to_6_digits(calibrated->value);
    if (!calibrated->probabilities.empty())
        object["probs"] = probabilities_json(mode, calibrated->probabilities);
}

Json json_of(std::span<const Grade> parts);

void add_parts(Json& json, std::span<const Grade> parts) {
    if (parts.size() < 2) return;
    if (const auto [ab, ba] = by_order(parts); !ab.empty() && !ba.empty()) {
        json["consistent"] = agree(ab, ba);
        json["feedback_order"] = name(combined(parts).order);
        json["orders"] = {{name(Order::ab), json_of(ab)}, {name(Order::ba), json_of(ba)}};
        return;
    }
    Json& samples = json["samples"] = Json::array();
    for (const Grade& part : parts) samples.push_back(json_of({&part, 1}));
}

Json json_of(std::span<const Grade> parts) {
    Json json;
    add_result(json, combined(parts));
    add_parts(json, parts);
    return json;
}

void add_result(Json& json, const Unscored& unscored) {
    json["score"] = nullptr;
    json["reason"] = unscored.reason;
    json["error"] = unscored.error;
}

void add_about(Json& json, const AboutItem& about) {
    const bool pair = about.characters.size() == 2;
    if (about.label) json["label"] = to_json(*about.label);
    if (about.group) json["group"] = *about.group;
    if (!about.generator.empty()) json[pair ? "generator_A" : "generator"] = about.generator;
    if (!about.generator_b.empty()) json["generator_B"] = about.generator_b;
    if (pair) json["characters"] = about.characters;
    if (about.characters.size() == 1) json["characters"] = about.characters.front();
}

void add_scale(Json& json, const Record& record) {
    const auto* grade = std::get_if<Grade>(&record.result);
    if (!grade || !record.scale) return;
    const auto told = told_probabilities(record.calibration.get(), grade->distribution.mode,
                                         grade->distribution.probabilities);
    json["scale"] = to_json(*record.scale, grade->verdict.score(), told.values);
    if (told.calibrated) json["scale"]["calibrated"] = true;
}

void add_judge(Json& json, const Judge& judge) {
    if (judge.model.empty()) return;
    Json& object = json["judge"] = {{"model", judge.model}};
    if (!judge.sha256.empty()) object["sha256"] = judge.sha256;
    object["quant"] = judge.quant;
}

}  // namespace

double VerdictDistribution::of(Verdict verdict) const {
    return probabilities.at(legal_verdicts(mode).find(verdict.symbol));
}

Verdict VerdictDistribution::likeliest() const {
    const auto largest = std::max_element(probabilities.begin(), probabilities.end());
    return {legal_verdicts(mode).at(static_cast<std::size_t>(largest - probabilities.begin()))};
}

double VerdictDistribution::expected_score() const {
    double sum = 0;
    for (const char symbol : legal_verdicts(mode)) sum += Verdict{symbol}.score() * of({symbol});
    return sum;
}

double VerdictDistribution::entropy() const {
    double sum = 0;
    for (const double p : probabilities)
        if (p > 0) sum -= p * std::log(p);
    return sum;
}

VerdictDistribution verdict_distribution(Mode mode, std::span<const float> logits) {
    const std::size_t legal = legal_verdicts(mode).size();
    if (logits.size() != legal)
        throw std::runtime_error("verdict logits: " + std::to_string(logits.size()) + " given, " +
                                 std::string(name(mode)) + " has " + std::to_string(legal));
    double largest = -std::numeric_limits<double>::infinity();
    for (const float logit : logits) {
        if (std::isnan(logit) || logit == std::numeric_limits<float>::infinity())
            throw NotFinite("verdict logits: " + std::to_string(logit) +
                            " found, a finite number expected");
        largest = std::max(largest, static_cast<double>(logit));
    }
    if (std::isinf(largest))
        throw NotFinite("verdict logits: all are -infinity, one at least must be finite");
    std::vector<double> probabilities;
    for (const float logit : logits)
        probabilities.push_back(std::exp(static_cast<double>(logit) - largest));
    const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
    for (double& p : probabilities) p /= sum;
    return {mode, std::move(probabilities)};
}

Grade combined(std::span<const Grade> grades) {
    if (grades.empty())
        throw std::runtime_error("grades to combine: none given, at least 1 expected");
    VerdictDistribution distribution = mean(grades);
    const Verdict verdict = majority(grades, distribution);
    Grade whole = *std::ranges::find(grades, verdict, &Grade::verdict);
    whole.distribution = std::move(distribution);
    whole.tokens = {};
    whole.milliseconds = {};
    whole.redraws = 0;
    for (const Grade& grade : grades) {
        whole.tokens.prompt += grade.tokens.prompt;
        whole.tokens.cached += grade.tokens.cached;
        whole.tokens.generated += grade.tokens.generated;
        whole.redraws += grade.redraws;
        whole.milliseconds.prefill += grade.milliseconds.prefill;
        whole.milliseconds.decode += grade.milliseconds.decode;
    }
    return whole;
}

std::optional<bool> Record::consistent() const {
    const auto [ab, ba] = by_order(parts);
    if (ab.empty() || ba.empty()) return std::nullopt;
    return agree(ab, ba);
}

Record unscored(const BadItem& item) {
    return {.id = item.id, .mode = std::nullopt, .result = Unscored{"invalid_item", item.what()}};
}

AboutItem about(const Item& item) {
    std::vector<std::size_t> characters{decode_utf8(item.response).size()};
    if (item.mode == Mode::relative) characters.push_back(decode_utf8(item.response_b).size());
    return {item.label, item.group, item.generator, item.generator_b, std::move(characters)};
}

Json to_json(const Record& record) {
    Json json;
    json["id"] = to_json(record.id);
    if (!record.item_hash.empty()) json["item_hash"] = record.item_hash;
    if (record.mode) json["mode"] = name(*record.mode);
    if (!record.scored() && record.mode == Mode::relative) json["verdict"] = nullptr;
    std::visit([&](const auto& result) { add_result(json, result); }, record.result);
    add_scale(json, record);
    add_calibrated(json, record);
    add_parts(json, record.parts);
    add_about(json, record.about);
    if (!record.profile.empty()) json["profile"] = record.profile;
    add_judge(json, record.judge);
    if (record.seed) json["seed"] = *record.seed;
    if (!record.truncated.empty()) json["truncated"] = to_json(record.truncated);
    json["warnings"] = record.warnings;
    return json;
}

std::string to_json_line(const Record& record) {
    return to_json(record).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace assay
