#include "grader/rated.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "grader/verdict.h"

namespace assay {
namespace {

constexpr std::array<double, 5> own_values{1, 2, 3, 4, 5};

// What the scores 1 to 5 stand for.
const std::array<double, 5>& values_of(const Result& result) {
    return result.scale ? result.scale->values : own_values;
}

}  // namespace

double score_on_scale(const Result& result) {
    return values_of(result).at(legal_verdicts(Mode::absolute).find(result.facts.verdict));
}

std::optional<double> expected_on_scale(const Result& result) {
    return result.scale ? result.number("scale.value") : result.facts.expected_score;
}

std::optional<double> confidence_on_scale(const Result& result) {
    if (!result.scale) return result.number("confidence");
    const double score = score_on_scale(result);
    const std::string path = result.find("calibrated.probs") ? "calibrated.probs." : "probs.";
    double sum = 0;
    for (std::size_t i = 0; i < own_values.size(); ++i) {
        const auto p = result.number(path + std::to_string(i + 1));
        if (!p) return std::nullopt;
        if (values_of(result)[i] == score) sum += *p;
    }
    return std::min(sum, 1.0);  // probabilities are rounded in records
}

std::optional<double> rating_of(const Result& result, double label) {
    const auto& values = values_of(result);
    if (label < values.front() || label > values.back()) return std::nullopt;
    double nearest = values.front();
    for (const double value : values)
        if (std::fabs(value - label) <= std::fabs(nearest - label)) nearest = value;
    return nearest;
}

}  // namespace assay
