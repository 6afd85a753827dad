#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "grader/grader.h"
#include "model/engine/scheduler.h"
#include "tests/support/devices.h"
#include "tests/support/loaded_model.h"

// Grading with an engine: what items get together is what they get alone.
namespace assay {
namespace {

struct Judge {
    test::LoadedModel loaded{
        test::device(), resolve_model("demo"), {.kv = Cache::f32, .context = 640, .sequences = 6}};
    Tokenizer tokenizer = loaded.checkpoint.tokenizer();
};

std::vector<Item> items() {
    const std::vector<std::string> responses{"Yeast gives off gas, which the dough holds.",
                                             "I am sorry, but I cannot help with that.",
                                             "Yeast gives off gas."};
    std::vector<Item> items;
    for (const std::string& response : responses) {
        Item item;
        item.id = {std::to_string(items.size()), true};
        item.instruction = "Why does bread rise?";
        item.response = response;
        item.reference_answer = responses.front();
        item.rubric = *builtin_rubric("helpfulness");
        items.push_back(item);
        item.id.text = std::to_string(items.size());
        item.mode = Mode::relative;
        item.response_b = responses[items.size() % responses.size()];
        items.push_back(item);
    }
    return items;
}

// What must not depend on what else is graded.
nlohmann::ordered_json without_costs(nlohmann::ordered_json json) {
    if (json.is_object()) {
        json.erase("ms");
        if (json.contains("tokens")) json["tokens"].erase("cached");
    }
    if (json.is_structured())
        for (auto& value : json) value = without_costs(value);
    return json;
}

GraderOptions sampled() {
    GraderOptions options = options_of(profile_named("paper-eval"));
    options.max_new_tokens = 40;  // some texts end by themselves, others are cut
    options.seed = 3;
    options.orders = Orders::both;
    options.samples = 2;
    return options;
}

std::map<std::string, Record> graded(Judge& judge, const GraderOptions& options) {
    Scheduler scheduler(judge.loaded.engine);
    Grader grader(scheduler, judge.tokenizer, options);
    std::map<std::string, Record> records;
    for (const Item& item : items())
        grader.start(item, [&](Record record) { records.emplace(record.id.text, record); });
    while (scheduler.step()) {
    }
    return records;
}

TEST(GradingTogether, GivesWhatGradingAloneGives) {
    Judge judge;
    const auto together = graded(judge, sampled());
    ASSERT_EQ(together.size(), items().size());
    std::size_t forced = 0;
    Judge alone;
    for (const Item& item : items()) {
        Scheduler scheduler(alone.loaded.engine, {.speculate = false});
        const Record record = Grader(scheduler, alone.tokenizer, sampled()).grade(item);
        EXPECT_EQ(without_costs(to_json(together.at(item.id.text))),
                  without_costs(to_json(record)));
        EXPECT_EQ(record.parts.size(), item.mode == Mode::relative ? 4u : 2u);
        EXPECT_NE(record.parts[0].feedback, record.parts[1].feedback);
        for (const Grade& part : record.parts) forced += part.source == VerdictSource::forced;
    }
    EXPECT_GT(forced, 0u);
}

// All prompts of a mode begin alike, and a tail follows what was just read.
TEST(GradingTogether, ReadsWhatIsCommonOnce) {
    Judge judge;
    GraderOptions options;
    options.verdict_only = true;
    std::size_t prompt = 0, cached = 0;
    for (const auto& [id, record] : graded(judge, options)) {
        const Grade& grade = std::get<Grade>(record.result);
        EXPECT_EQ(grade.feedback, "");
        prompt += grade.tokens.prompt;
        cached += grade.tokens.cached;
    }
    EXPECT_GT(cached, prompt / 4);
    EXPECT_LT(cached, prompt);
}

}  // namespace
}  // namespace assay
