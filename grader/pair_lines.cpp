#include "grader/pair_lines.h"

#include <cstdio>

#include "grader/ending.h"
#include "grader/prompt.h"
#include "grader/scored_responses.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view training_profile = "hf-card";

std::string text_in(const Json& object, const char* key) {
    const auto field = object.find(key);
    return field != object.end() && field->is_string() ? field->get<std::string>() : "";
}

// "4", "3.66667": the collection has scores as texts.
std::string score_text(double score) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", score);
    return text;
}

std::string output_of(const PairLine& line) {
    const char verdict = line.comparison ? line.comparison->verdict : *line.item.label->preferred;
    std::string text = line.comparison ? line.comparison->feedback : "";
    if (!text.empty()) text += ' ';
    return text.append(verdict_marker) + " " + verdict;
}

}  // namespace

std::optional<Comparison> comparison_of(const Result& record) {
    const Json* as_given = record.find("orders.ab");
    const Json& grade = as_given ? *as_given : record.json;
    const std::string verdict = text_in(grade, "verdict");
    if (verdict.size() != 1 || text_in(grade, "parse") != "text") return std::nullopt;
    return Comparison{without_verdict(text_in(grade, "feedback")), verdict[0]};
}

bool agrees(const Result& record, char preferred) {
    return record.facts.verdict == preferred && record.facts.consistent != false;
}

Json native_line(const PairLine& line) {
    Json json = to_json(line.item);
    json["scores"] = {line.a.score, line.b.score};
    if (line.comparison)
        json["judge"] = {{"verdict", std::string(1, line.comparison->verdict)},
                         {"feedback", line.comparison->feedback}};
    return json;
}

Json preference_collection_line(const PairLine& line) {
    const Item& item = line.item;
    return {{"instruction", render_user(profile_named(training_profile), item)},
            {"input", ""},
            {"output", output_of(line)},
            {"orig_instruction", item.instruction},
            {"orig_response_A", item.response},
            {"orig_response_B", item.response_b},
            {"orig_reference_answer", item.reference_answer.value_or("")},
            {"orig_criteria", parts_of(item.rubric).criteria},
            {"orig_preference", to_json(*item.label)},
            {"orig_feedback", line.comparison ? line.comparison->feedback : ""},
            {"orig_feedback_A", line.a.feedback},
            {"orig_feedback_B", line.b.feedback},
            {"orig_score_A", score_text(line.a.score)},
            {"orig_score_B", score_text(line.b.score)}};
}

}  // namespace assay
