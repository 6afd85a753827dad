#include "grader/plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/grader/graded.h"

namespace assay {
namespace {

using test::absolute_item;
using test::demo_tokenizer;
using test::relative_item;

Item named(Item item, const std::string& id, std::size_t words) {
    item.id = {id, false};
    for (std::size_t i = 0; i < words; ++i) item.response += " word";
    return item;
}

Plan plan_of(const std::vector<std::variant<Item, BadItem>>& items, const GraderOptions& options,
             std::uint32_t context) {
    Planner planner(demo_tokenizer(), options, context);
    for (const auto& item : items) planner.add(item);
    return planner.plan();
}

TEST(Plan, CountsTheTokensOfTexts) {
    GraderOptions options;
    options.orders = Orders::both;
    options.samples = 3;
    options.max_new_tokens = 100;
    const Item item = absolute_item(), pair = relative_item();
    const Plan plan = plan_of({item, item, pair}, options, 1024);
    EXPECT_EQ(plan.absolute, 2u);
    EXPECT_EQ(plan.pairs, 1u);
    EXPECT_EQ(plan.texts, 12u);  // 3 of each item, of a pair in both orders
    EXPECT_EQ(plan.written_at_most, 1200u);
    const auto tokens = [](Item it, bool exchanged = false) {
        if (exchanged) std::swap(it.response, it.response_b);
        return prompt_tokens(demo_tokenizer(), render(profiles().front(), it)).size();
    };
    EXPECT_EQ(plan.lengths, (std::vector{tokens(item), tokens(item), tokens(pair)}));
    const std::size_t of_pair = tokens(pair) + tokens(pair, true);
    EXPECT_EQ(plan.prompt_tokens, 3 * (2 * tokens(item) + of_pair));
    // Two samples of each prompt are whole in the cache, and so is the second item.
    const std::size_t least = 2 * (2 * tokens(item) + of_pair) + tokens(item);
    EXPECT_GT(plan.shared_tokens, least);
    EXPECT_LT(plan.shared_tokens, least + of_pair);
    EXPECT_EQ(plan.unscored(), 0u);

    options.verdict_only = true;
    const Plan verdicts = plan_of({item, pair}, options, 1024);
    EXPECT_EQ(verdicts.texts, 3u);
    EXPECT_EQ(verdicts.written_at_most, 0u);
}

TEST(Plan, NamesItemsThatAreTooLong) {
    GraderOptions options;
    const std::vector<std::variant<Item, BadItem>> items{
        named(absolute_item(), "short", 0), named(absolute_item(), "long", 600),
        BadItem({"7", true}, "line 7: response is missing")};
    const Plan plan = plan_of(items, options, 600);
    ASSERT_EQ(plan.too_long.size(), 1u);
    EXPECT_EQ(plan.too_long[0].id.text, "long");
    EXPECT_EQ(plan.too_long[0].tokens, plan.lengths[1]);
    EXPECT_EQ(plan.unscored(), 2u);
    EXPECT_EQ(plan.texts, 1u);
    const std::string text = text_of(plan);
    EXPECT_NE(text.find("too long for the context: 1, 1 of them refused\n  long: "),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("line 7: response is missing"), std::string::npos) << text;

    options.too_long = TooLong::truncate_middle;
    const Plan truncating = plan_of(items, options, 600);
    EXPECT_EQ(truncating.unscored(), 1u);
    EXPECT_EQ(truncating.texts, 2u);
    EXPECT_EQ(truncating.too_long.at(0).tokens, plan.lengths[1]);
    EXPECT_EQ(truncating.too_long[0].left_out.at(0).field, "response");
    EXPECT_LT(truncating.prompt_tokens, 1200u);
}

TEST(Plan, DrawsAHistogram) {
    std::vector<std::variant<Item, BadItem>> items;
    for (std::size_t i = 0; i < 50; ++i) items.emplace_back(named(absolute_item(), "x", 2 * i));
    items.emplace_back(named(absolute_item(), "long", 900));
    const Plan plan = plan_of(items, {}, 1000);
    const auto json = to_json(plan)["prompt_tokens"];
    std::size_t counted = 0;
    for (const auto& bin : json["histogram"]) counted += bin["items"].get<std::size_t>();
    EXPECT_EQ(counted, items.size());
    EXPECT_LE(json["histogram"].size(), 13u);
    EXPECT_LE(json["histogram"][0]["from"], json["min"]);
    EXPECT_EQ(json["histogram"].back()["from"], 1001);  // what is longer than the context
    EXPECT_EQ(json["histogram"].back()["to"], json["max"]);
    std::vector<std::size_t> sorted = plan.lengths;
    std::ranges::sort(sorted);
    EXPECT_EQ(json["median"], sorted[25]);  // the 26th of 51
    EXPECT_EQ(json["p90"], sorted[45]);     // the 46th: 45.9 of 51
}

TEST(Plan, OfNothingGradable) {
    const Plan plan = plan_of({BadItem({"1", true}, "line 1: no item")}, {}, 1000);
    EXPECT_EQ(text_of(plan),
              "0 items, 0 of them pairs\n1 records that cannot be graded\n"
              "  1: line 1: no item\n");
    EXPECT_TRUE(to_json(plan)["prompt_tokens"].is_null());
}

}  // namespace
}  // namespace assay
