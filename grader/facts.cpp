#include "grader/facts.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "grader/verdict.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

const Json* find(const Json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto field = object.find(key);
    return field == object.end() ? nullptr : &*field;
}

std::string text(const Json& object, const char* key) {
    const Json* field = find(object, key);
    return field && field->is_string() ? field->get<std::string>() : "";
}

std::uint64_t count(const Json& object, const char* key) {
    const Json* field = find(object, key);
    return field && field->is_number_unsigned() ? field->get<std::uint64_t>() : 0;
}

char verdict_of(const Json& record) {
    const Json* score = find(record, "score");
    const double number = score && score->is_number() ? score->get<double>() : 0;
    const bool whole = number >= 1 && number <= 5 && number == std::floor(number);
    const std::string symbol =
        whole ? std::to_string(static_cast<int>(number)) : text(record, "verdict");
    for (const Mode mode : {Mode::absolute, Mode::relative})
        if (symbol.size() == 1 && legal_verdicts(mode).find(symbol) != std::string_view::npos)
            return symbol[0];
    return 0;
}

}  // namespace

RecordFacts facts_of(const Json& record) {
    RecordFacts facts{.verdict = verdict_of(record), .forced = text(record, "parse") == "forced"};
    if (const Json* expected = find(record, "expected_score"); expected && expected->is_number())
        facts.expected_score = expected->get<double>();
    if (const Json* p_a = find(record, "p_a"); p_a && p_a->is_number())
        facts.p_a = p_a->get<double>();
    if (const Json* same = find(record, "consistent"); same && same->is_boolean())
        facts.consistent = same->get<bool>();
    facts.truncated = find(record, "truncated") != nullptr;
    if (const Json* warnings = find(record, "warnings"))
        facts.longer_than_trained =
            std::ranges::find(*warnings, Json("longer_than_trained")) != warnings->end();
    if (const Json* tokens = find(record, "tokens")) {
        facts.prompt_tokens = count(*tokens, "prompt");
        facts.cached_tokens = count(*tokens, "cached");
        facts.generated_tokens = count(*tokens, "generated");
    }
    return facts;
}

}  // namespace assay
