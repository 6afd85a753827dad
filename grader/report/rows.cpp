#include "grader/report/rows.h"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>

namespace assay::report {
namespace {

using Json = nlohmann::ordered_json;

// What a row is made of.
struct Source {
    const Result& result;
    const Result* other;  // the second run's, or null
    const Item* item;     // or null
};

Json copy(const Result& result, std::string_view path) {
    const Json* field = result.find(path);
    return field ? *field : Json();
}

Json verdict_of(const Result& result) {
    return result.scored() ? Json(std::string(1, result.facts.verdict)) : Json();
}

Json expected_of(const Result& result) { return result.scored() ? Json(expected(result)) : Json(); }

Json label_of(const Result& result) {
    if (!result.label) return {};
    if (const auto preferred = result.label->preferred) return symbol_name(*preferred);
    return *result.label->mean();
}

// Who said what, where that is more than the label's one number.
Json labels_of(const Result& result) {
    if (!result.label || result.label->scores.empty()) return {};
    const auto& scores = result.label->scores;
    if (scores.size() == 1 && scores.begin()->second.size() == 1) return {};
    return to_json(*result.label).dump();
}

Json probabilities_of(const Result& result) {
    const Json* probabilities = result.find("probs");
    if (!probabilities || !probabilities->is_object()) return {};
    Json list = Json::array();
    for (const auto& [symbol, p] : probabilities->items()) list.push_back(p);
    return list;
}

Json milliseconds_of(const Result& result) {
    const auto value = milliseconds(result);
    return value ? Json(std::round(*value * 10) / 10) : Json();
}

Json kinds_of(const Source& source) {
    const auto& [result, other, item] = source;
    Json kinds = Json::array();
    if (!result.scored()) kinds.push_back("unscored");
    if (result.facts.forced) kinds.push_back("forced");
    if (result.facts.consistent == false) kinds.push_back("inconsistent");
    if (agrees(result) == false) kinds.push_back("differs");
    if (other && other->facts.verdict != result.facts.verdict) kinds.push_back("judges_differ");
    if (!result.warnings.empty()) kinds.push_back("warned");
    return kinds.empty() ? Json() : kinds;
}

Json feedback_in(const Json& grade, const std::string& order) {
    Json feedback = Json::object();
    if (!order.empty()) feedback["order"] = order;
    for (const char* key : {"score", "verdict"})
        if (const auto verdict = grade.find(key); verdict != grade.end() && !verdict->is_null())
            feedback["verdict"] = verdict->is_string() ? *verdict : Json(verdict->dump());
    const auto text = grade.find("feedback");
    feedback["text"] = text != grade.end() && text->is_string() ? *text : Json("");
    return feedback;
}

// Of both orders, of every sample, or the one there is. What a judge wrote of exchanged responses
// calls response B "A".
Json feedback_of(const Result& result) {
    if (!result.scored()) return {};
    constexpr std::array<std::array<const char*, 2>, 2> orders{
        {{"orders.ab", "A shown first"}, {"orders.ba", "B shown first, as \"A\""}}};
    Json list = Json::array();
    for (const auto& [path, title] : orders)
        if (const Json* grade = result.find(path); grade && grade->is_object())
            list.push_back(feedback_in(*grade, title));
    if (const Json* samples = result.find("samples");
        list.empty() && samples && samples->is_array())
        for (const Json& sample : *samples)
            if (sample.is_object())
                list.push_back(feedback_in(sample, "sample " + std::to_string(list.size() + 1)));
    if (list.empty()) list.push_back(feedback_in(result.json, ""));
    return list;
}

Json other_of(const Source& source) {
    if (!source.other) return {};
    return {{"verdict", verdict_of(*source.other)},
            {"expected", expected_of(*source.other)},
            {"feedback", feedback_of(*source.other)}};
}

template <class List>
Json unless_empty(const List& list) {
    return list.empty() ? Json() : Json(list);
}

Json responses_of(const Item* item) {
    if (!item) return {};
    if (item->mode == Mode::absolute) return Json::array({item->response});
    return Json::array({item->response, item->response_b});
}

struct Field {
    const char* name;
    std::function<Json(const Source&)> value;
};

// What many rows lack comes last.
const std::vector<Field>& row_fields() {
    static const std::vector<Field> fields{
        {"id", [](const Source& s) { return Json(s.result.id); }},
        {"verdict", [](const Source& s) { return verdict_of(s.result); }},
        {"expected", [](const Source& s) { return expected_of(s.result); }},
        {"confidence", [](const Source& s) { return copy(s.result, "confidence"); }},
        {"entropy", [](const Source& s) { return copy(s.result, "entropy"); }},
        {"probs", [](const Source& s) { return probabilities_of(s.result); }},
        {"ms", [](const Source& s) { return milliseconds_of(s.result); }},
        {"tokens", [](const Source& s) { return copy(s.result, "tokens.generated"); }},
        {"finish", [](const Source& s) { return copy(s.result, "finish"); }},
        {"feedback", [](const Source& s) { return feedback_of(s.result); }},
        {"calibrated",
         [](const Source& s) {
             const auto value = calibrated(s.result);
             return value ? Json(*value) : Json();
         }},
        {"scale", [](const Source& s) { return copy(s.result, "scale.verdict"); }},
        {"characters", [](const Source& s) { return unless_empty(s.result.characters); }},
        {"label", [](const Source& s) { return label_of(s.result); }},
        {"kinds", kinds_of},
        {"group", [](const Source& s) { return unless_empty(s.result.group); }},
        {"names", [](const Source& s) { return unless_empty(s.result.generators); }},
        {"labels", [](const Source& s) { return labels_of(s.result); }},
        {"instruction",
         [](const Source& s) { return s.item ? Json(s.item->instruction) : Json(); }},
        {"responses", [](const Source& s) { return responses_of(s.item); }},
        {"reference",
         [](const Source& s) {
             return s.item && s.item->reference_answer ? Json(*s.item->reference_answer) : Json();
         }},
        {"warnings", [](const Source& s) { return unless_empty(s.result.warnings); }},
        {"reason", [](const Source& s) { return copy(s.result, "reason"); }},
        {"error", [](const Source& s) { return copy(s.result, "error"); }},
        {"other", other_of}};
    return fields;
}

}  // namespace

Json rows(const Run& run, const Run* other, const GradedItems& items) {
    const SameItems others(other ? std::span<const Result>(other->results)
                                 : std::span<const Result>());
    Json fields = Json::array(), list = Json::array();
    for (const Field& field : row_fields()) fields.push_back(field.name);
    for (const Result& result : run.results) {
        const Source source{result, others.of(result), items.of(result)};
        Json::array_t row;
        for (const Field& field : row_fields()) row.push_back(field.value(source));
        while (row.back().is_null()) row.pop_back();
        list.push_back(std::move(row));
    }
    return {{"fields", std::move(fields)}, {"rows", std::move(list)}};
}

}  // namespace assay::report
