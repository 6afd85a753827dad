// What prometheus-eval takes and publishes.
#include <stdexcept>
#include <string>

#include "grader/datasets/convert.h"
#include "grader/datasets/field_map.h"
#include "grader/datasets/prompt_sections.h"
#include "grader/dialogue.h"

namespace assay::convert {
namespace {

PromptSections sections_of(const std::string& prompt, const std::string& place) {
    try {
        return parse_prompt(prompt);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(place + ": " + error.what());
    }
}

// The sections of a field that holds a whole prompt.
PromptSections sections_in(const JsonFields& fields, const std::string& key) {
    return sections_of(fields.string(key), fields.place() + key);
}

Json item_of(const PromptSections& sections) {
    Json item{{"instruction", sections.instruction}, {"rubric", sections.rubric}};
    const bool pair = sections.mode == Mode::relative;
    item[pair ? "response_A" : "response"] = sections.response;
    if (pair) item["response_B"] = sections.response_b;
    if (sections.reference_answer) item["reference_answer"] = *sections.reference_answer;
    if (sections.context) item["context"] = *sections.context;
    return item;
}

// The collection writes its scores as strings.
Json number_in(const JsonFields& fields, const std::string& key) {
    const Json& value = fields.at(key);
    if (value.is_number()) return value;
    const Json number = Json::parse(text_of(value), nullptr, false);
    if (!number.is_number()) fields.fail(key + ": expected a number, found " + describe(value));
    return number;
}

}  // namespace

void feedback_collection(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    Json item{{"instruction", fields.string("orig_instruction")},
              {"response", fields.string("orig_response")},
              {"rubric", rubric_fields(fields, "orig_")}};
    copy(fields, "orig_reference_answer", item, "reference_answer");
    if (fields.find("orig_score")) item["label"] = {{"gpt4", number_in(fields, "orig_score")}};
    items.push_back(std::move(item));
}

// A and B are balanced in the collection, so they stay as they are.
void preference_collection(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    Json item{{"instruction", fields.string("orig_instruction")},
              {"response_A", fields.string("orig_response_A")},
              {"response_B", fields.string("orig_response_B")},
              {"rubric", rubric_fields(fields, "orig_")}};
    copy(fields, "orig_reference_answer", item, "reference_answer");
    copy(fields, "orig_preference", item, "label");
    items.push_back(std::move(item));
}

void evaluation(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    Json item = item_of(sections_in(fields, "instruction"));
    if (item.contains("response")) item["label"] = score_label(fields);
    copy(fields, "category", item, "group");
    copy(fields, "response_source", item, "generator");
    items.push_back(std::move(item));
}

void evaluation_pairs(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    const PromptSections chosen = sections_in(fields, "chosen_instruction");
    const PromptSections rejected = sections_in(fields, "rejected_instruction");
    if (chosen.instruction != rejected.instruction)
        fields.fail("chosen_instruction and rejected_instruction show different instructions");
    const Json* tie = fields.find("tie");
    Json item = pair(source, chosen.instruction, {chosen.response}, {rejected.response},
                     tie && *tie == 1 ? '=' : '1');
    item["rubric"] = chosen.rubric;
    if (chosen.reference_answer) item["reference_answer"] = *chosen.reference_answer;
    copy(fields, "source", item, "group");
    items.push_back(std::move(item));
}

void biggen(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    Json item{{"instruction", fields.string("input")},
              {"response", fields.string("response")},
              {"rubric", fields.at("score_rubric")},
              {"label", score_label(fields)}};
    copy(fields, "reference_answer", item, "reference_answer");
    copy(fields, "capability", item, "group");
    copy_first(fields, {"response_model_name", "model_name"}, item, "generator");
    // Every model has a response to each of the tasks, which are what ids name.
    if (const auto id = fields.optional_string("id"))
        item["id"] = item.contains("generator") ? *id + "/" + text_of(item["generator"]) : *id;
    items.push_back(std::move(item));
}

void openai_batch(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    const JsonFields body(fields.at("body"), fields.place() + "body: ");
    const std::string place = fields.place() + "body.messages";
    const std::vector<Message> messages = parse_messages(body.at("messages"), place);
    Json item = item_of(sections_of(messages.back().content, place));
    item["id"] = fields.at("custom_id");
    items.push_back(std::move(item));
}

// The arguments of the library's absolute_grade and relative_grade.
void prometheus_lists(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    const Json& instructions = fields.at("instructions");
    const auto element = [&](const std::string& key, std::size_t i, Json& item,
                             const std::string& as) {
        const Json* list = fields.find(key);
        if (!list) return;
        if (!list->is_array()) {
            item[as] = *list;  // for all of them
            return;
        }
        if (list->size() != instructions.size())
            fields.fail(key + ": a list of " + std::to_string(list->size()) +
                        ", instructions has " + std::to_string(instructions.size()));
        item[as] = list->at(i);
    };
    if (!instructions.is_array())
        fields.fail("instructions: expected a list, found " + describe(instructions));
    for (std::size_t i = 0; i < instructions.size(); ++i) {
        Json item{{"instruction", instructions[i]}};
        element("responses", i, item, "response");
        element("responses_A", i, item, "response_A");
        element("responses_B", i, item, "response_B");
        element("reference_answers", i, item, "reference_answer");
        element("rubric", i, item, "rubric");
        items.push_back(std::move(item));
    }
}

// A rubric's fields may stand beside the others, as in a table, where a label is text.
void native(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    Json item = fields.object();
    if (!fields.find("rubric"))
        if (Json rubric = rubric_fields(fields, ""); !rubric.is_null())
            item["rubric"] = std::move(rubric);
    if (const Json* label = fields.find("label")) item["label"] = label_of(*label);
    items.push_back(std::move(item));
}

}  // namespace assay::convert
