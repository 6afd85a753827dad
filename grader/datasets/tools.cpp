// Records of other evaluation tools.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "grader/datasets/convert.h"
#include "grader/dialogue.h"

namespace assay::convert {
namespace {

const Json* field(const Json* object, const char* key) {
    if (!object || !object->is_object()) return nullptr;
    const auto found = object->find(key);
    return found == object->end() || found->is_null() ? nullptr : &*found;
}

// A prompt as promptfoo renders it: text, or a list of messages as text.
std::string prompt_text(const std::string& raw, const std::string& place) {
    const Json messages = raw.starts_with('[') ? Json::parse(raw, nullptr, false) : Json();
    return messages.is_array() ? dialogue_text(parse_messages(messages, place)) : raw;
}

// promptfoo's variables have the names that a test gives them; these are the usual ones.
const Json* question_in(const Json& variables) {
    for (const char* key : {"instruction", "question", "query", "prompt", "input", "message"})
        if (const Json* found = field(&variables, key)) return found;
    return variables.size() == 1 ? &*variables.begin() : nullptr;
}

const Json* answer_in(const Json& variables) {
    for (const char* key : {"response", "output", "answer"})
        if (const Json* found = field(&variables, key)) return found;
    return nullptr;
}

// What an assertion says of the item: a rubric, or a reference answer.
void add_assertion(std::string_view type, const Json& value, Json& item) {
    constexpr std::array rubrics{"llm-rubric", "grade", "model-graded-closedqa", "g-eval"};
    constexpr std::array references{"equals", "similar", "factuality", "model-graded-factuality"};
    if (!value.is_string()) return;
    if (std::ranges::find(rubrics, type) != rubrics.end() && !item.contains("rubric"))
        item["rubric"] = value;
    if (std::ranges::find(references, type) != references.end() &&
        !item.contains("reference_answer"))
        item["reference_answer"] = value;
}

void add_assertions(const Json* list, Json& item) {
    if (!list || !list->is_array()) return;
    for (const Json& assertion : *list)
        if (const Json* value = field(&assertion, "value"))
            add_assertion(text_or_empty(assertion, "type"), *value, item);
}

// What promptfoo knows as assertions, "not-" in front of some aside (promptfoo.dev/docs,
// "Assertions & metrics"), and its short forms for cells.
constexpr std::string_view assertion_types[] = {"answer-relevance",
                                                "bleu",
                                                "classifier",
                                                "contains",
                                                "contains-all",
                                                "contains-any",
                                                "contains-html",
                                                "contains-json",
                                                "contains-sql",
                                                "contains-xml",
                                                "context-faithfulness",
                                                "context-recall",
                                                "context-relevance",
                                                "conversation-relevance",
                                                "cost",
                                                "equals",
                                                "eval",
                                                "factuality",
                                                "file",
                                                "finish-reason",
                                                "fn",
                                                "g-eval",
                                                "gleu",
                                                "grade",
                                                "guardrails",
                                                "icontains",
                                                "icontains-all",
                                                "icontains-any",
                                                "is-html",
                                                "is-json",
                                                "is-refusal",
                                                "is-sql",
                                                "is-valid-function-call",
                                                "is-valid-openai-function-call",
                                                "is-valid-openai-tools-call",
                                                "is-xml",
                                                "javascript",
                                                "latency",
                                                "levenshtein",
                                                "llm-rubric",
                                                "max-score",
                                                "meteor",
                                                "model-graded-closedqa",
                                                "model-graded-factuality",
                                                "moderation",
                                                "perplexity",
                                                "perplexity-score",
                                                "pi",
                                                "python",
                                                "regex",
                                                "rouge-n",
                                                "ruby",
                                                "search-rubric",
                                                "select-best",
                                                "similar",
                                                "starts-with",
                                                "tool-call-f1",
                                                "trace-error-spans",
                                                "trace-span-count",
                                                "trace-span-duration",
                                                "webhook"};

bool is_assertion(std::string_view type) {
    if (type.starts_with("not-")) type.remove_prefix(4);
    return std::ranges::find(assertion_types, type) != std::end(assertion_types);
}

// A cell of an __expected column: "TYPE: VALUE" or "TYPE(THRESHOLD): VALUE"; else what the output
// must equal.
void add_expected(const std::string& cell, Json& item) {
    const std::size_t colon = cell.find(':');
    const std::string_view head = std::string_view(cell).substr(0, colon);
    const std::string_view type = head.substr(0, head.find('('));
    if (colon == std::string::npos || !is_assertion(type))
        return add_assertion("equals", cell, item);
    const std::size_t begin = std::min(cell.find_first_not_of(' ', colon + 1), cell.size());
    add_assertion(type, cell.substr(begin), item);
}

// LangChain's names of roles, which Ragas uses.
Json with_roles(Json messages) {
    for (Json& message : messages) {
        if (!message.is_object() || message.contains("role")) continue;
        const std::string type = text_or_empty(message, "type");
        message["role"] = type == "human" ? "user" : type == "ai" ? "assistant" : type;
    }
    return messages;
}

}  // namespace

void promptfoo_results(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    const Json* variables = fields.find("vars");
    const Json* raw = field(fields.find("prompt"), "raw");
    const Json* question = raw ? raw : variables ? question_in(*variables) : nullptr;
    const Json* output = field(fields.find("response"), "output");
    if (!question) fields.fail("prompt.raw is missing");
    if (!output) fields.fail("response.output is missing");
    Json item{{"instruction", prompt_text(text_of(*question), fields.place() + "prompt.raw")},
              {"response", text_of(*output)}};
    if (const Json* context = field(variables, "context")) item["context"] = *context;
    const Json* provider = fields.find("provider");
    if (const Json* id = provider && provider->is_object() ? field(provider, "id") : provider)
        item["generator"] = text_of(*id);
    if (const Json* score = fields.find("score")) item["label"] = {{"promptfoo", *score}};
    add_assertions(field(fields.find("testCase"), "assert"), item);
    items.push_back(std::move(item));
}

void promptfoo_tests(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    const Json* nested = fields.find("vars");
    const Json& variables = nested ? *nested : fields.object();
    const Json* question = question_in(variables);
    const Json* given = fields.find("providerOutput");
    const Json* answer = given ? given : answer_in(variables);
    if (!question) fields.fail("vars: no instruction, question, query, prompt or input among them");
    if (!answer)
        fields.fail("no output to grade: neither providerOutput nor vars.response, output, answer");
    Json item{{"instruction", text_of(*question)}, {"response", text_of(*answer)}};
    if (const Json* context = field(&variables, "context")) item["context"] = *context;
    add_assertions(fields.find("assert"), item);
    for (const auto& [name, value] : fields.object().items())
        if (name.starts_with("__expected") && value.is_string())
            add_expected(value.get<std::string>(), item);
    items.push_back(std::move(item));
}

void deepeval(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    Json item{{"instruction", fields.string("input")}};
    copy_first(fields, {"actual_output", "actualOutput"}, item, "response");
    if (!item.contains("response")) fields.fail("actual_output is missing");
    copy_first(fields, {"expected_output", "expectedOutput"}, item, "reference_answer");
    copy_first(fields, {"retrieval_context", "retrievalContext", "context"}, item, "context");
    copy(fields, "name", item, "id");
    items.push_back(std::move(item));
}

void ragas(const Source& source, std::vector<Json>& items) {
    const JsonFields& fields = source.fields;
    Json item;
    copy_first(fields, {"user_input", "question"}, item, "instruction");
    copy_first(fields, {"response", "answer"}, item, "response");
    copy_first(fields, {"reference", "ground_truth"}, item, "reference_answer");
    copy_first(fields, {"retrieved_contexts", "contexts"}, item, "context");
    if (item.contains("instruction") && item["instruction"].is_array()) {
        item["messages"] = with_roles(std::move(item["instruction"]));
        item.erase("instruction");
    }
    // Its rubrics have levels and no criteria, which a prompt cannot do without.
    if (const Json* rubrics = fields.find("rubrics"); rubrics && rubrics->is_object()) {
        item["rubric"] = *rubrics;
        if (!rubrics->contains("criteria"))
            item["rubric"]["criteria"] = "How good is the response to the instruction?";
    }
    items.push_back(std::move(item));
}

}  // namespace assay::convert
