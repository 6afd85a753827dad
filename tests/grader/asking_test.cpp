#include "grader/asking.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grader/facts.h"
#include "tests/grader/graded.h"

namespace assay {
namespace {

using test::absolute_item;
using test::demo_tokenizer;
using test::record_of;
using test::relative_item;
using test::ScriptedGenerator;

std::string words(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "word" + std::to_string(i % 7) + " ";
    return text;
}

Item long_item() {
    Item item = absolute_item();
    item.response = words(400);
    return item;
}

Item long_pair() {
    Item item = relative_item();
    item.response = words(300);
    item.response_b = words(200);
    return item;
}

GraderOptions truncating(const Profile& profile = profiles().front()) {
    GraderOptions options = options_of(profile);
    options.too_long = TooLong::truncate_middle;
    return options;
}

Asked ask(const Item& item, const GraderOptions& options, std::size_t context) {
    return Asking(demo_tokenizer(), options, static_cast<std::uint32_t>(context)).ask(item);
}

TEST(Asking, TruncatesFromTheFirstTokenTooMany) {
    const GraderOptions options = truncating();
    const Asking asking(demo_tokenizer(), options, 4096);
    const std::size_t behind = asking.ending(Mode::absolute).tail.size() + 1;
    const std::size_t prompt = asking.count_tokens(long_item());

    const Asked whole = ask(long_item(), options, prompt + behind + 1);
    EXPECT_FALSE(whole.truncated);
    ASSERT_EQ(whole.questions.size(), 1u);
    EXPECT_EQ(whole.questions[0].prompt.size(), prompt);
    EXPECT_EQ(whole.questions[0].max_new_tokens, 1u);

    const std::size_t context = prompt + behind;
    const Asked cut = ask(long_item(), options, context);
    ASSERT_TRUE(cut.truncated);
    ASSERT_EQ(cut.questions.size(), 1u);
    EXPECT_EQ(cut.warnings.back(), "truncated");
    // A quarter of the context is for feedback, and the rest is used.
    const std::size_t most = context - behind - context / 4;
    EXPECT_LE(cut.questions[0].prompt.size(), most);
    EXPECT_GE(cut.questions[0].prompt.size(), most - 4);
    EXPECT_GE(cut.questions[0].max_new_tokens, context / 4);

    GraderOptions refusing = options;
    refusing.too_long = TooLong::refuse;
    const Asked refused = ask(long_item(), refusing, context);
    ASSERT_TRUE(refused.unscored);
    EXPECT_EQ(refused.unscored->reason, "context_exceeded");
    EXPECT_TRUE(refused.questions.empty());
}

TEST(Asking, LeavesRoomForTheFeedbackAskedFor) {
    GraderOptions options = truncating();
    options.max_new_tokens = 7;
    const Asked cut = ask(long_item(), options, 1024);
    ASSERT_TRUE(cut.truncated);
    EXPECT_EQ(cut.questions[0].max_new_tokens, 7u);
    EXPECT_GE(cut.questions[0].prompt.size(), 1024u - 7 - 8 - 4);
}

// Nothing is written before a verdict that is asked for at once.
TEST(Asking, LeavesNoRoomForFeedbackThatIsNotAskedFor) {
    GraderOptions options = truncating();
    options.verdict_only = true;
    const Asking asking(demo_tokenizer(), options, 4096);
    const std::size_t behind = asking.ending(Mode::absolute).tail.size() + 1;
    const std::size_t fits = asking.count_tokens(long_item()) + behind;
    EXPECT_FALSE(ask(long_item(), options, fits).truncated);

    const Asked cut = ask(long_item(), options, fits - 1);
    ASSERT_TRUE(cut.truncated);
    ASSERT_EQ(cut.questions.size(), 1u);
    EXPECT_LE(cut.questions[0].prompt.size(), fits - 1 - behind);
    EXPECT_GE(cut.questions[0].prompt.size(),
              fits - 1 - behind - 4);
}

TEST(Asking, CutsAPairTheSameInBothOrders) {
    GraderOptions options = truncating();
    const Asked given = ask(long_pair(), options, 1024);
    options.orders = Orders::both;
    const Asked both = ask(long_pair(), options, 1024);
    ASSERT_TRUE(given.truncated && both.truncated);
    EXPECT_EQ(to_json(given.truncated->left_out), to_json(both.truncated->left_out));
    ASSERT_EQ(both.questions.size(), 2u);
    EXPECT_EQ(both.questions[0].prompt, given.questions[0].prompt);
    Item exchanged = both.truncated->item;
    std::swap(exchanged.response, exchanged.response_b);
    EXPECT_EQ(both.questions[1].prompt,
              prompt_tokens(demo_tokenizer(), render(*options.profile, exchanged)));
}

// Where a profile shows no reference answer, none is cut.
TEST(Asking, CutsOnlyWhatIsSeen) {
    Item item = long_pair();
    item.reference_answer = words(900);
    const Asked cut = ask(item, truncating(profile_named("paper-eval")), 1024);
    ASSERT_TRUE(cut.truncated);
    EXPECT_EQ(to_json(cut.truncated->left_out).size(), 2u) << to_json(cut.truncated->left_out);
    EXPECT_EQ(cut.truncated->item.reference_answer, item.reference_answer);
    EXPECT_EQ(cut.warnings.front(), "reference_ignored");
}

TEST(Asking, RefusesWhatNoCutMakesFit) {
    Item item = long_item();
    item.rubric.text = "[c]\nScore 1: " + words(600);
    for (const std::size_t context : {std::size_t{1024}, std::size_t{4}}) {
        const Asked refused = ask(item, truncating(), context);
        ASSERT_TRUE(refused.unscored);
        EXPECT_EQ(refused.unscored->reason, "context_exceeded");
        EXPECT_FALSE(refused.truncated);
    }
}

TEST(Asking, WarnsOfPromptsLongerThanTrained) {
    Item item = absolute_item();
    const GraderOptions options = options_of(profiles().front());
    const Asking asking(demo_tokenizer(), options, 8192);
    for (std::size_t left = trained_tokens - asking.count_tokens(item); left > 0; --left)
        item.response += " x";
    ASSERT_EQ(asking.count_tokens(item), trained_tokens);
    EXPECT_EQ(asking.ask(item).warnings, std::vector<std::string>{"no_reference"});
    item.response += " x";
    EXPECT_EQ(asking.ask(item).warnings.back(), "longer_than_trained");
}

TEST(Grader, RecordsWhatWasLeftOut) {
    ScriptedGenerator judge("Fine. [RESULT] 4", {{'4', 5.0f}}, 1024);
    const auto json = to_json(record_of(judge, long_item(), truncating()));
    EXPECT_EQ(json["score"], 4);
    ASSERT_TRUE(json.contains("truncated")) << json;
    EXPECT_GT(json["truncated"]["response"], 0);
    EXPECT_EQ(json["warnings"].back(), "truncated");
    EXPECT_EQ(json["characters"], long_item().response.size());  // of all of it
    EXPECT_NE(demo_tokenizer().decode(judge.requests[0].prompt).find(" tokens left out ...]"),
              std::string::npos);
    const RecordFacts facts = facts_of(json);
    EXPECT_TRUE(facts.truncated);
    EXPECT_FALSE(facts.longer_than_trained);
    EXPECT_FALSE(to_json(record_of(judge, absolute_item(), truncating())).contains("truncated"));
}

}  // namespace
}  // namespace assay
