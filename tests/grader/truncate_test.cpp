#include "grader/truncate.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "grader/unicode.h"
#include "tests/grader/graded.h"

namespace assay {
namespace {

using test::absolute_item;
using test::demo_tokenizer;
using test::relative_item;

std::string repeated(const std::string& text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) result += text + std::to_string(i) + " ";
    return result;
}

std::size_t tokens_of(const std::string& text) { return demo_tokenizer().encode(text).size(); }

// Of the texts alone, which is enough of a prompt here.
std::size_t count(const Item& item) {
    return tokens_of(item.instruction + "|" + item.response + "|" + item.response_b + "|" +
                     item.reference_answer.value_or("") + "|" + item.context + "|" +
                     item.rubric.text);
}

std::optional<TruncatedItem> truncated(const Item& item, std::size_t most) {
    return truncate_middle(item, demo_tokenizer(), count, most);
}

std::string json_of(const TruncatedItem& item) { return to_json(item.left_out).dump(); }

// A text that was cut, as its two ends and the number in the mark between them.
struct Ends {
    std::string head, tail;
    std::size_t left_out = 0;
};
Ends ends_of(const std::string& text) {
    const std::size_t begin = text.find("\n[... "), end = text.find(" tokens left out ...]\n");
    if (begin == std::string::npos || end == std::string::npos) return {text, ""};
    return {text.substr(0, begin), text.substr(end + 22),
            static_cast<std::size_t>(std::stoul(text.substr(begin + 6)))};
}

TEST(Truncate, LeavesOutTheMiddleOfTheLongestText) {
    Item item = absolute_item();
    item.response = repeated("word", 300);
    item.reference_answer = repeated("true", 20);
    const std::size_t most = 600;
    ASSERT_GT(count(item), most);
    const auto cut = truncated(item, most);
    ASSERT_TRUE(cut);
    EXPECT_LE(count(cut->item), most);
    EXPECT_GE(count(cut->item), most - 4);  // tokens of both ends may merge or part with the mark's
    ASSERT_EQ(cut->left_out.size(), 1u) << json_of(*cut);
    EXPECT_EQ(cut->left_out[0].field, "response");

    const auto [head, tail, left_out] = ends_of(cut->item.response);
    EXPECT_EQ(left_out, cut->left_out[0].tokens);
    EXPECT_TRUE(item.response.starts_with(head)) << head;
    EXPECT_TRUE(item.response.ends_with(tail)) << tail;
    // What is kept and what is left out are all of the tokens, half of the kept ones at each end.
    const auto all = demo_tokenizer().encode(item.response);
    const std::size_t kept = all.size() - left_out, half = (kept + 1) / 2;
    EXPECT_EQ(demo_tokenizer().decode(std::span(all).first(half)), head);
    EXPECT_EQ(tokens_of(head), half);

    EXPECT_EQ(cut->item.instruction, item.instruction);
    EXPECT_EQ(cut->item.reference_answer, item.reference_answer);
    EXPECT_EQ(cut->item.rubric.text, item.rubric.text);
}

TEST(Truncate, CutsAllLongTextsToOneLength) {
    Item item = absolute_item();
    item.instruction = repeated("why", 100);
    item.response = repeated("word", 300);
    item.reference_answer = repeated("true", 200);
    item.context = repeated("said", 150);
    const auto cut = truncated(item, 900);
    ASSERT_TRUE(cut);
    ASSERT_EQ(cut->left_out.size(), 4u) << json_of(*cut);
    std::vector<std::size_t> kept;
    for (const auto& [text, left_out] : {std::pair(item.instruction, 0),
                                         {item.response, 1},
                                         {*item.reference_answer, 2},
                                         {item.context, 3}})
        kept.push_back(tokens_of(text) - cut->left_out[static_cast<std::size_t>(left_out)].tokens);
    for (const std::size_t tokens : kept) EXPECT_EQ(tokens, kept[0]) << json_of(*cut);
}

TEST(Truncate, KeepsTheSameShareOfBothResponses) {
    Item item = relative_item();
    item.response = repeated("word", 400);
    item.response_b = repeated("word", 100);
    const auto cut = truncated(item, 700);
    ASSERT_TRUE(cut);
    ASSERT_EQ(cut->left_out.size(), 2u) << json_of(*cut);
    EXPECT_EQ(cut->left_out[0].field, "response_A");
    EXPECT_EQ(cut->left_out[1].field, "response_B");
    const auto left = [&](std::size_t i) { return static_cast<double>(cut->left_out[i].tokens); };
    const double a = left(0) / static_cast<double>(tokens_of(item.response)),
                 b = left(1) / static_cast<double>(tokens_of(item.response_b));
    EXPECT_NEAR(a, b, 1 / static_cast<double>(tokens_of(item.response_b)));  // a token is whole
    // Exchanged, they are cut the same.
    Item exchanged = item;
    std::swap(exchanged.response, exchanged.response_b);
    const auto other = truncated(exchanged, 700);
    ASSERT_TRUE(other);
    EXPECT_EQ(other->left_out[0].tokens, cut->left_out[1].tokens);
    EXPECT_EQ(other->item.response_b, cut->item.response);
}

// Characters that the vocabulary spells by their bytes are never torn.
TEST(Truncate, CutsBetweenCharacters) {
    Item item = absolute_item();
    item.response.clear();
    for (int i = 0; i < 60; ++i) item.response += "\u4f60\U0001f600\u00e9 ";
    ASSERT_GT(tokens_of(item.response), decode_utf8(item.response).size());  // bytes as tokens
    const std::size_t whole = count(item);
    std::size_t cuts = 0;
    for (std::size_t most = whole - 60; most < whole; ++most) {
        const auto cut = truncated(item, most);
        ASSERT_TRUE(cut) << most;
        EXPECT_LE(count(cut->item), most);
        const std::string& text = cut->item.response;
        EXPECT_FALSE(find_invalid_utf8(text)) << most;
        EXPECT_EQ(text.find("\ufffd"), std::string::npos) << text;
        const auto [head, tail, left_out] = ends_of(text);
        EXPECT_TRUE(item.response.starts_with(head) && item.response.ends_with(tail)) << text;
        // The mark counts what is gone.
        const std::string gone =
            item.response.substr(head.size(), item.response.size() - head.size() - tail.size());
        EXPECT_NEAR(static_cast<double>(tokens_of(gone)), static_cast<double>(left_out), 1)
            << gone;  // encode begins a text with a space
        cuts += left_out > 0;
    }
    EXPECT_EQ(cuts, 60u);
}

TEST(Truncate, NothingIsLeftToCut) {
    Item item = absolute_item();
    item.response = repeated("word", 30);
    // Only rubric and short texts: less than least_kept_tokens and a mark cannot be saved.
    Item least = item;
    least.response = "x";
    EXPECT_FALSE(truncated(item, count(least)));
    item.response = repeated("word", 6);
    ASSERT_LT(tokens_of(item.response), least_kept_tokens);
    EXPECT_FALSE(truncated(item, count(item) - 1));
    EXPECT_FALSE(truncated(item, 0));
    item.response.clear();
    item.instruction.clear();
    EXPECT_FALSE(truncated(item, 10));
}

TEST(Truncate, KeepsTheLeastOfEachText) {
    Item item = relative_item();
    item.response = repeated("word", 2000);
    item.response_b = repeated("word", 20);
    const auto cut = truncated(item, 400);
    ASSERT_TRUE(cut);
    EXPECT_LE(count(cut->item), 400u);
    const std::size_t kept_b =
        tokens_of(item.response_b) - (cut->left_out.size() > 1 ? cut->left_out[1].tokens : 0);
    EXPECT_GE(kept_b, least_kept_tokens);
}

}  // namespace
}  // namespace assay
