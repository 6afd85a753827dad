#include "grader/label.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

#include "grader/json_fields.h"

namespace assay {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr const char* sole_source = "label";
constexpr const char* tie = "tie";

std::vector<double> numbers(const Json& value, const std::string& place) {
    std::vector<double> found;
    const Json list = value.is_array() ? value : Json::array({value});
    for (const Json& number : list) {
        if (!number.is_number())
            throw std::runtime_error(place + ": expected a number, found " + describe(number));
        found.push_back(number.get<double>());
    }
    if (found.empty()) throw std::runtime_error(place + ": an empty list, a number expected");
    return found;
}

char preference(const Json& value, const std::string& place) {
    if (value == "A" || value == "B") return value.get_ref<const std::string&>()[0];
    if (value == tie) return '=';
    throw std::runtime_error(place + ": expected \"A\", \"B\" or \"tie\", found " +
                             (value.is_string() ? "another string" : describe(value)));
}

// Whole numbers without ".0".
OrderedJson number(double value) {
    constexpr double largest = 0x1p53;  // above it every double is whole
    const bool whole = std::abs(value) < largest && std::trunc(value) == value;
    return whole ? OrderedJson(static_cast<std::int64_t>(value)) : OrderedJson(value);
}

OrderedJson number_or_list(const std::vector<double>& scores) {
    if (scores.size() == 1) return number(scores.front());
    OrderedJson list = OrderedJson::array();
    for (const double score : scores) list.push_back(number(score));
    return list;
}

double mean_of_all(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::optional<double> Label::mean() const {
    if (scores.empty()) return std::nullopt;
    double sum = 0;
    for (const auto& [source, given] : scores) sum += mean_of_all(given);
    return sum / static_cast<double>(scores.size());
}

std::optional<double> Label::mean_of(const std::string& source) const {
    const auto given = scores.find(source);
    if (given == scores.end()) return std::nullopt;
    return mean_of_all(given->second);
}

Label parse_label(const Json& value, Mode mode, const std::string& place) {
    if (mode == Mode::relative) return {.scores = {}, .preferred = preference(value, place)};
    if (!value.is_object()) return {.scores = {{sole_source, numbers(value, place)}}};
    Label label;
    for (const auto& [source, scores] : value.items())
        label.scores[source] = numbers(scores, place + "." + source);
    if (label.scores.empty()) throw std::runtime_error(place + ": an empty object");
    return label;
}

OrderedJson to_json(const Label& label) {
    if (label.preferred) return *label.preferred == '=' ? tie : std::string(1, *label.preferred);
    if (label.scores.size() == 1 && label.scores.begin()->first == sole_source)
        return number_or_list(label.scores.begin()->second);
    OrderedJson object;
    for (const auto& [source, scores] : label.scores) object[source] = number_or_list(scores);
    return object;
}

}  // namespace assay
