#include "grader/scale.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

struct Row {
    Scale scale;
    std::string_view mapping;
};

// Scales that ask whether a response passes get their values from pass_at.
constexpr std::array table{
    Row{{.name = "binary", .values = {}, .pass_at = default_pass_at},
        "1 if the score is at least --pass-at, else 0; its value is the probability of a 1"},
    Row{{.name = "pass-fail", .values = {}, .words = {"fail", "pass"}, .pass_at = default_pass_at},
        "the same in words"},
    Row{{.name = "1-3", .values = {1, 1, 2, 3, 3}}, "scores 1 and 2 are 1, 3 is 2, 4 and 5 are 3"},
    Row{{.name = "1-10", .values = {1, 3.25, 5.5, 7.75, 10}}, "1 + 9 (score - 1) / 4"}};

double rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return std::strtod(text, nullptr);
}

std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

double value_of(const Scale& scale, int score) {
    return scale.values.at(static_cast<std::size_t>(score - 1));
}

bool has_words(const Scale& scale) { return !scale.words.front().empty(); }

// What a value is called.
std::string word_of(const Scale& scale, double value) {
    if (!has_words(scale)) return number_text(value);
    return std::string(scale.words[value == scale.values.back()]);
}

Json json_of(const Scale& scale, double value) {
    if (has_words(scale)) return word_of(scale, value);
    const auto whole = static_cast<int>(value);
    return value == whole ? Json(whole) : Json(value);
}

bool one_to_one(const Scale& scale) {
    return std::ranges::adjacent_find(scale.values) == scale.values.end();
}

Json probabilities_json(const Scale& scale, std::span<const double> probabilities) {
    std::vector<std::pair<double, double>> levels;  // value, probability
    for (std::size_t i = 0; i < scale.values.size(); ++i) {
        if (levels.empty() || levels.back().first != scale.values[i])
            levels.emplace_back(scale.values[i], 0);
        levels.back().second += probabilities[i];
    }
    Json json = Json::object();
    for (const auto& [value, probability] : levels)
        json[word_of(scale, value)] = rounded(probability);
    return json;
}

Json quantiles_json(const Scale& scale, std::span<const double> probabilities) {
    Json json = Json::object();
    for (const double share : {0.05, 0.5, 0.95})
        json[number_text(share)] = json_of(scale, scale.quantile(probabilities, share));
    return json;
}

}  // namespace

double Scale::expected(std::span<const double> probabilities) const {
    assert(probabilities.size() == values.size());
    return std::inner_product(values.begin(), values.end(), probabilities.begin(), 0.0);
}

double Scale::quantile(std::span<const double> probabilities, double share) const {
    assert(probabilities.size() == values.size());
    double sum = 0;
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {
        sum += probabilities[i];
        if (sum >= share) return values[i];
    }
    return values.back();
}

std::vector<std::string> scale_names() {
    std::vector<std::string> names{std::string(own_scale)};
    for (const Row& row : table) names.emplace_back(row.scale.name);
    return names;
}

std::string scale_help() {
    std::string text;
    for (const Row& row : table)
        text.append("\n  ").append(row.scale.name).append(": ").append(row.mapping);
    return text;
}

std::optional<Scale> scale_named(std::string_view name, int pass_at) {
    if (name == own_scale) return std::nullopt;
    for (const Row& row : table) {
        if (row.scale.name != name) continue;
        Scale scale = row.scale;
        if (scale.pass_at == 0) return scale;
        scale.pass_at = pass_at;
        for (int score = 1; score <= 5; ++score)
            scale.values.at(static_cast<std::size_t>(score - 1)) = score >= pass_at ? 1 : 0;
        return scale;
    }
    std::string names;
    for (const std::string& known : scale_names()) names += (names.empty() ? "" : ", ") + known;
    throw std::runtime_error("scale: \"" + std::string(name) + "\" given, one of " + names +
                             " expected");
}

Json to_json(const Scale& scale) {
    Json json{{"name", scale.name}};
    if (scale.pass_at > 0) json["pass_at"] = scale.pass_at;
    return json;
}

Json to_json(const Scale& scale, int score, std::span<const double> probabilities) {
    Json json = to_json(scale);
    json["value"] = rounded(scale.expected(probabilities));
    json["verdict"] = json_of(scale, value_of(scale, score));
    if (one_to_one(scale))
        json["quantiles"] = quantiles_json(scale, probabilities);
    else
        json["probs"] = probabilities_json(scale, probabilities);
    json["trained"] = false;
    return json;
}

std::string text_of(const Scale& scale, int score, std::span<const double> probabilities) {
    char text[96];
    const double expected = scale.expected(probabilities);
    if (scale.pass_at > 0) {
        std::snprintf(text, sizeof text, "%s, with a probability of passing of %.2f",
                      word_of(scale, value_of(scale, score)).c_str(), expected);
    } else {
        std::snprintf(text, sizeof text, "%.2f on the scale %s", expected,
                      std::string(scale.name).c_str());
    }
    return text;
}

}  // namespace assay
