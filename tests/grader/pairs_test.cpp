#include "grader/pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/error.h"

namespace assay {
namespace {

ScoredResponse scored(const std::string& id, const std::string& instruction, double score,
                      const std::string& response = "") {
    Item item;
    item.id = {id};
    item.instruction = instruction;
    item.response = response.empty() ? "text of " + id : response;
    item.rubric = *builtin_rubric("honesty");
    return {.item = std::move(item), .score = score};
}

// Five responses to each instruction, one for each score, as the Feedback Collection has them.
std::vector<ScoredResponse> collection(int instructions) {
    std::vector<ScoredResponse> all;
    for (int i = 0; i < instructions; ++i)
        for (int score = 1; score <= 5; ++score)
            all.push_back(scored(std::to_string(i) + "." + std::to_string(score),
                                 "instruction " + std::to_string(i), score));
    return all;
}

std::size_t preferring(const Pairing& pairing, char symbol) {
    return static_cast<std::size_t>(
        std::ranges::count(pairing.pairs, symbol, &ResponsePair::preferred));
}

// "A+B preferred" of each pair, whatever their order.
std::set<std::string> said(const std::vector<ScoredResponse>& responses, const Pairing& pairing) {
    std::set<std::string> all;
    for (const ResponsePair& pair : pairing.pairs)
        all.insert(pair_item(responses, pair).id.text + " " + pair.preferred);
    return all;
}

TEST(Pairs, AreAllOfAnInstruction) {
    const auto responses = collection(20);
    const Pairing pairing = pair_up(responses, {});
    EXPECT_EQ(pairing.instructions, 20u);
    EXPECT_EQ(pairing.pairs.size(), 20u * 10);  // C(5, 2) each
    std::set<std::set<std::size_t>> different;
    for (const auto& [a, b, preferred] : pairing.pairs) {
        EXPECT_EQ(responses[a].item.instruction, responses[b].item.instruction);
        EXPECT_EQ(preferred, responses[a].score > responses[b].score ? 'A' : 'B');
        different.insert({a, b});
    }
    EXPECT_EQ(different.size(), pairing.pairs.size());
}

TEST(Pairs, ShowTheBetterOneFirstInHalfOfThem) {
    const auto responses = collection(1);
    std::set<std::set<std::string>> kinds;
    std::map<std::size_t, std::size_t> odd;  // of 9 pairs: how many prefer A
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const Pairing even = pair_up(responses, {.seed = seed});
        EXPECT_EQ(preferring(even, 'A'), 5u) << seed;
        EXPECT_EQ(preferring(even, 'B'), 5u) << seed;
        kinds.insert(said(responses, even));
        ++odd[preferring(pair_up(responses, {.limit = 9, .seed = seed}), 'A')];
    }
    EXPECT_GT(kinds.size(), 100u);  // of C(10, 5) = 252
    // The odd one is a coin: 100 of 200, with a standard deviation of 7.
    ASSERT_EQ(odd.size(), 2u);
    EXPECT_EQ(odd.begin()->first, 4u);
    EXPECT_NEAR(static_cast<double>(odd[4]), 100, 4 * 7.1);
}

TEST(Pairs, DoNotDependOnTheOrderOfTheFile) {
    auto responses = collection(6);
    responses.push_back(scored("again", "instruction 0", 2.5, "text of 0.1"));
    for (const PairingOptions& options :
         {PairingOptions{.seed = 3}, PairingOptions{.ties = Ties::keep, .limit = 3, .seed = 4}}) {
        const auto expected = said(responses, pair_up(responses, options));
        auto shuffled = responses;
        std::ranges::reverse(shuffled);
        EXPECT_EQ(said(shuffled, pair_up(shuffled, options)), expected);
        std::ranges::rotate(shuffled, shuffled.begin() + 11);
        EXPECT_EQ(said(shuffled, pair_up(shuffled, options)), expected);
        auto more = responses;  // what else is in the file does not matter either
        more.insert(more.begin(), scored("x", "another", 1));
        EXPECT_EQ(said(more, pair_up(more, options)), expected);
    }
}

TEST(Pairs, LeaveOutTiesAndWhatIsTooNear) {
    const std::vector responses{scored("a", "i", 4), scored("b", "i", 4), scored("c", "i", 4.5),
                                scored("d", "i", 4.7), scored("e", "i", 4.7, "text of d")};
    const Pairing plain = pair_up(responses, {});
    EXPECT_EQ(plain.pairs.size(), 8u);  // of 10
    EXPECT_EQ(plain.ties, 1u);
    EXPECT_EQ(plain.same_text, 1u);
    const Pairing kept = pair_up(responses, {.ties = Ties::keep});
    EXPECT_EQ(preferring(kept, '='), 1u);
    EXPECT_EQ(kept.ties, 0u);
    // A mean of the same numbers in another order is the same score.
    EXPECT_EQ(
        pair_up(std::vector{scored("f", "i", 0.1 + 0.2 + 0.3), scored("g", "i", 0.3 + 0.2 + 0.1)},
                {})
            .ties,
        1u);
    // 4.7 less 4.5 counts as 0.2, though doubles have a little less.
    EXPECT_EQ(pair_up(responses, {.least_gap = 0.2}).near, 0u);
    const Pairing far = pair_up(responses, {.ties = Ties::keep, .least_gap = 0.3});
    EXPECT_EQ(far.near, 2u);
    EXPECT_EQ(preferring(far, '='), 1u);
    EXPECT_EQ(pair_up(responses, {.limit = 2}).pairs.size(), 2u);
    EXPECT_EQ(pair_up(responses, {.limit = 2}).above_limit, plain.pairs.size() - 2);
}

TEST(Pairs, AreOfOneQuestion) {
    auto other_rubric = scored("b", "i", 2), other_reference = scored("c", "i", 3),
         other_context = scored("d", "i", 4);
    other_rubric.item.rubric = *builtin_rubric("reasoning");
    other_reference.item.reference_answer = "r";
    other_context.item.context = "c";
    const Pairing pairing =
        pair_up(std::vector{scored("a", "i", 1), other_rubric, other_reference, other_context}, {});
    EXPECT_EQ(pairing.instructions, 4u);
    EXPECT_TRUE(pairing.pairs.empty());
}

TEST(Pairs, BecomeItemsThatSayWhereTheyComeFrom) {
    std::vector responses{scored("p", "i", 1), scored("q", "i", 5)};
    for (ScoredResponse& response : responses) {
        response.item.generator = "by " + response.item.id.text;
        response.item.group = "g";
        response.item.reference_answer = "r";
    }
    const Item item = pair_item(responses, {1, 0, 'A'});
    EXPECT_EQ(item.id.text, "q+p");
    EXPECT_EQ(item.mode, Mode::relative);
    EXPECT_EQ(item.response, "text of q");
    EXPECT_EQ(item.response_b, "text of p");
    EXPECT_EQ(item.generator, "by q");
    EXPECT_EQ(item.generator_b, "by p");
    EXPECT_EQ(item.group, "g");
    EXPECT_EQ(item.reference_answer, "r");
    EXPECT_EQ(item.label->preferred, 'A');
    EXPECT_FALSE(item.label->mean());
    responses[0].item.group = "h";
    EXPECT_FALSE(pair_item(responses, {1, 0, 'A'}).group);
}

TEST(Pairs, RefuseAnInstructionWithTooManyResponses) {
    std::vector<ScoredResponse> responses;
    for (std::size_t i = 0; i <= most_responses; ++i)
        responses.push_back(scored(std::to_string(i), "i", static_cast<double>(i)));
    try {
        pair_up(responses, {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(),
                     "the instruction of item 0 has 1001 responses, at most 1000 are paired");
    }
}

}  // namespace
}  // namespace assay
