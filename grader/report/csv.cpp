#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "grader/report/escape.h"
#include "grader/report/formats.h"

namespace assay::report {
namespace {

using Json = nlohmann::ordered_json;

// A field of the record as it stands there; a list or an object as JSON.
std::string text_of(const Json* field) {
    if (!field) return "";
    if (field->is_string()) return field->get<std::string>();
    return field->dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A column's name is the path of its field.
constexpr const char* columns[]{"id",
                                "mode",
                                "score",
                                "verdict",
                                "expected_score",
                                "p_a",
                                "probs.1",
                                "probs.2",
                                "probs.3",
                                "probs.4",
                                "probs.5",
                                "probs.A",
                                "probs.B",
                                "confidence",
                                "entropy",
                                "calibrated.score",
                                "calibrated.p_a",
                                "scale.name",
                                "scale.value",
                                "scale.verdict",
                                "parse",
                                "finish",
                                "consistent",
                                "label",
                                "group",
                                "generator",
                                "generator_A",
                                "generator_B",
                                "characters",
                                "tokens.prompt",
                                "tokens.cached",
                                "tokens.generated",
                                "ms.prefill",
                                "ms.decode",
                                "feedback",
                                "reason",
                                "error",
                                "warnings",
                                "item_hash"};

void end_row(std::string& csv) { csv.replace(csv.size() - 1, 1, "\r\n"); }

}  // namespace

std::string to_csv(const Run& run, const GradedItems& items) {
    std::string csv;
    const auto put = [&](std::string_view field) { (csv += csv_field(field)) += ','; };
    for (const char* column : columns) put(column);
    if (!items.empty())
        for (const char* column : {"instruction", "response", "response_B", "reference_answer"})
            put(column);
    end_row(csv);
    for (const Result& result : run.results) {
        for (const char* column : columns) put(text_of(result.find(column)));
        if (!items.empty()) {
            const Item none, *found = items.of(result);
            const Item& item = found ? *found : none;
            put(item.instruction);
            put(item.response);
            put(item.response_b);
            put(item.reference_answer.value_or(""));
        }
        end_row(csv);
    }
    return csv;
}

}  // namespace assay::report
