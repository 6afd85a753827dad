#include "grader/datasets/dataset.h"

#include <algorithm>
#include <initializer_list>
#include <stdexcept>

#include "grader/datasets/convert.h"
#include "grader/datasets/prompt_sections.h"

namespace assay {
namespace {

using Json = nlohmann::json;

bool has_all(const Json& record, std::initializer_list<const char*> keys) {
    return std::ranges::all_of(keys, [&](const char* key) { return record.contains(key); });
}

bool has_any(const Json& record, std::initializer_list<const char*> keys) {
    return std::ranges::any_of(keys, [&](const char* key) { return record.contains(key); });
}

bool holds(const Json& record, const char* key, Json::value_t type) {
    return record.contains(key) && record[key].type() == type;
}

// In the order in which a record is compared with them.
constexpr Dataset table[] = {
    {.name = "preference-collection",
     .summary = "Preference Collection, Preference Bench",
     .fields = "orig_instruction, orig_response_A, orig_response_B, orig_criteria, "
               "orig_reference_answer?, orig_preference?",
     .matches =
         [](const Json& r) {
             return has_all(r, {"orig_instruction", "orig_response_A"});
         },
     .convert = convert::preference_collection},
    {.name = "feedback-collection",
     .summary = "Feedback Collection, Feedback Bench",
     .fields = "orig_instruction, orig_response, orig_criteria, orig_score1_description ..., "
               "orig_reference_answer?, orig_score?",
     .matches =
         [](const Json& r) {
             return has_all(r, {"orig_instruction", "orig_response"});
         },
     .convert = convert::feedback_collection},
    {.name = "prometheus-pairs",
     .summary = "prometheus-eval's evaluation files of pairs (HHH, MT-Bench human judgments)",
     .fields = "chosen_instruction and rejected_instruction: whole prompts; source?, tie?",
     .matches =
         [](const Json& r) {
             return has_all(r, {"chosen_instruction", "rejected_instruction"});
         },
     .convert = convert::evaluation_pairs},
    {.name = "prometheus-prompts",
     .summary = "prometheus-eval's evaluation files of responses (Vicuna, MT-Bench, FLASK)",
     .fields = "instruction: a whole prompt; gpt4_score?, human_score? ..., category?, "
               "response_source?",
     .matches =
         [](const Json& r) {
             return holds(r, "instruction", Json::value_t::string) &&
                    looks_like_prompt(r["instruction"].get_ref<const std::string&>()) &&
                    !has_any(r, {"response", "response_A"});
         },
     .convert = convert::evaluation},
    {.name = "prometheus-lists",
     .summary = "the arguments of prometheus-eval's absolute_grade or relative_grade",
     .fields = "instructions, responses or responses_A and responses_B, rubric, "
               "reference_answers?: lists",
     .matches = [](const Json& r) { return holds(r, "instructions", Json::value_t::array); },
     .convert = convert::prometheus_lists,
     .several_items = true},
    {.name = "biggen",
     .summary = "BiGGen-Bench with responses",
     .fields = "input, response, score_rubric, capability, id, reference_answer?, "
               "response_model_name or model_name, gpt4_score? ...",
     .matches =
         [](const Json& r) {
             return has_all(r, {"input", "score_rubric"});
         },
     .convert = convert::biggen},
    {.name = "auto-j",
     .summary = "Auto-J's pairs",
     .fields = "prompt, response 1, response 2, label: 0, 1 or 2, scenario?",
     .matches =
         [](const Json& r) {
             return has_all(r, {"prompt", "response 1", "response 2"});
         },
     .convert = convert::auto_j},
    {.name = "judgebench",
     .summary = "JudgeBench",
     .fields = "question, response_A, response_B, label: A>B or B>A, pair_id, source?, "
               "response_model?",
     .matches =
         [](const Json& r) {
             return has_all(r, {"question", "response_A", "response_B", "label"});
         },
     .convert = convert::judgebench},
    {.name = "preferences",
     .summary = "RewardBench, HH-RLHF and other preference pairs",
     .fields = "chosen, rejected: strings or lists of messages; prompt?, subset?, chosen_model?, "
               "rejected_model?",
     .matches =
         [](const Json& r) {
             return has_all(r, {"chosen", "rejected"});
         },
     .convert = convert::preferences},
    {.name = "alpaca-eval-pairs",
     .summary = "AlpacaEval's annotations",
     .fields = "instruction, output_1, output_2, generator_1?, generator_2?, preference?: 1 to 2",
     .matches =
         [](const Json& r) {
             return has_all(r, {"instruction", "output_1", "output_2"});
         },
     .convert = convert::alpaca_eval_pairs},
    {.name = "alpaca-eval",
     .summary = "AlpacaEval's model outputs",
     .fields = "instruction, output, input?, generator?, dataset?, and what items may have",
     .matches =
         [](const Json& r) {
             return has_all(r, {"instruction", "output"}) &&
                    !has_any(r, {"response", "response_A"});
         },
     .convert = convert::alpaca_eval},
    {.name = "mt-bench",
     .summary = "MT-Bench's questions, with models' answers in the file --with names",
     .fields = "question_id, turns, category?, reference?; of the answers question_id, model_id?, "
               "choices",
     .matches =
         [](const Json& r) {
             return has_all(r, {"question_id", "turns"});
         },
     .convert = convert::mt_bench,
     .needs_answers = true,
     .several_items = true},
    {.name = "promptfoo",
     .summary = "promptfoo's results",
     .fields = "prompt.raw, response.output, vars?, provider?, score?, testCase.assert?",
     .matches =
         [](const Json& r) {
             return holds(r, "response", Json::value_t::object) && has_any(r, {"prompt", "vars"});
         },
     .convert = convert::promptfoo_results},
    {.name = "promptfoo-tests",
     .summary = "promptfoo's test cases with outputs",
     .fields = "vars: instruction or question ... and, unless providerOutput is there, response or "
               "output; assert?, __expected?",
     .matches =
         [](const Json& r) {
             return holds(r, "vars", Json::value_t::object) ||
                    std::ranges::any_of(r.items(), [](const auto& field) {
                        return field.key().starts_with("__expected");
                    });
         },
     .convert = convert::promptfoo_tests},
    {.name = "deepeval",
     .summary = "DeepEval's test cases",
     .fields = "input, actual_output, expected_output?, retrieval_context? (or actualOutput ...)",
     .matches =
         [](const Json& r) {
             return r.contains("input") && has_any(r, {"actual_output", "actualOutput",
                                                       "expected_output", "expectedOutput"});
         },
     .convert = convert::deepeval},
    {.name = "ragas",
     .summary = "Ragas' samples",
     .fields = "user_input, response, reference?, retrieved_contexts?, rubrics? (or question, "
               "answer, ground_truth?, contexts?)",
     .matches =
         [](const Json& r) {
             return r.contains("user_input") || has_all(r, {"question", "answer"});
         },
     .convert = convert::ragas},
    {.name = "openai-batch",
     .summary = "lines of an OpenAI batch whose messages are Prometheus prompts",
     .fields = "custom_id, body.messages",
     .matches =
         [](const Json& r) {
             return has_all(r, {"custom_id", "body"});
         },
     .convert = convert::openai_batch},
    {.name = "native",
     .summary = "Assay's own",
     .fields = "instruction or messages, response or response_A and response_B, "
               "reference_answer?, rubric?, context?, id?, label?, group?, generator?",
     .matches =
         [](const Json& r) {
             return has_any(r, {"instruction", "messages", "response", "response_A", "response_B"});
         },
     .convert = convert::native},
};

}  // namespace

std::span<const Dataset> datasets() { return table; }

const Dataset& dataset_named(std::string_view name) {
    for (const Dataset& dataset : table)
        if (dataset.name == name) return dataset;
    throw std::runtime_error("dataset \"" + std::string(name) + "\": there are " + dataset_list());
}

const Dataset* recognise(const Json& record) {
    const auto* const found = std::ranges::find_if(
        table, [&](const Dataset& dataset) { return dataset.matches(record); });
    return found == std::end(table) ? nullptr : found;
}

std::string dataset_list() {
    std::string list;
    for (const Dataset& dataset : table) list.append(list.empty() ? "" : ", ").append(dataset.name);
    return list;
}

}  // namespace assay
