#include "grader/verdict.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/random.h"

namespace assay {
namespace {

constexpr char none = '-';

char parsed(Parser parser, Mode mode, std::string_view text) {
    const auto match = find_verdict(parser, mode, text);
    return match ? match->verdict.symbol : none;
}

struct Case {
    Mode mode;
    std::string text;
    char compat;
    char strict;
};

constexpr Mode abs = Mode::absolute;
constexpr Mode rel = Mode::relative;

void expect_all(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
        EXPECT_EQ(parsed(Parser::compat, c.mode, c.text), c.compat) << c.text;
        EXPECT_EQ(parsed(Parser::strict, c.mode, c.text), c.strict) << c.text;
    }
}

// The 34 cases of the library's own tests, with what its evaluation script makes of them.
TEST(Verdict, LibraryCases) {
    expect_all({
        {abs, "Reference (Score 5) two results [RESULT] 3", '3', '3'},
        {abs, "Reference (Score 5) not results", none, none},
        {abs, "Excellent. [RESULT] 5 out of 5", '5', none},
        {abs, "Poor performance. [RESULT] score of 1", '1', none},
        {abs, "Good job. [Result] 3", '3', none},
        {abs, "Needs improvement. [Result] Score: 2", '2', none},
        {abs, "Well done. [Result] Result: 4", '4', none},
        {abs, "Average. [Result] 4/5", '4', none},
        {abs, "Excellent. [Result] 5 out of 5", '5', none},
        {abs, "Poor performance. [Result] score of 1", '1', none},
        {abs, "Good job. (Score 5)", '5', none},
        {abs, "Good job. [Score 4]", '4', none},
        {abs, "Good job. score: 3", '3', none},
        {abs, "Good job. Score: 3", '3', none},
        {abs, "Good job. score of 1", '1', none},
        {abs, "Good job. [RESULT] (5)", '5', none},
        {abs, "The score is definitely not 3.", none, none},
        {abs, "I rate this a perfect 10!", none, none},
        {abs, "Score: 2.5", none, none},
        {abs, "Result: A", none, none},
        {rel, "[Response B is not better. [RESULT] A", 'A', 'A'},
        {rel, "Result A or B, not results", none, none},
        {rel, "Response A is better. [RESULT] A", 'A', 'A'},
        {rel, "Prefer Response B. [RESULT] B", 'B', 'B'},
        {rel, "Feedback: Both responses are similar... [Response B]", 'B', none},
        {rel, "Feedback: Both responses are clear... [Result] Response B", 'B', none},
        {rel, "Feedback: Both responses are clear... Response B Response A", none, none},
        {rel, "Feedback: Both responses are clear... [RESULT: B]", 'B', none},
        {rel, "Feedback: Both responses are clear... [Result: B]", 'B', none},
        {rel, "Feedback: Both responses are clear...Response A. [RESULT] B", 'B', 'B'},
        {rel, "After careful consideration, I select Response B.", none, none},
        {rel, "Both responses have their merits.", none, none},
        {rel, "Response C is clearly superior.", none, none},
        {rel, "The better response is obviously B... or is it A? It's hard to decide.", none, none},
        {abs, "", none, none},
        {rel, "", none, none},
    });
}

TEST(Verdict, AbsoluteEdges) {
    expect_all({
        {abs, "[RESULT] 3.", none, none},
        {abs, "[RESULT] 3</s>", none, none},
        {abs, "[RESULT] 4 / 5", none, none},
        {abs, "[RESULT] 4/ 5", '4', none},
        {abs, "[RESULT] 4/5", '4', none},
        {abs, "[RESULT] 4 out of 5", '4', none},
        {abs, "[RESULT] 4 out of 5.", none, none},
        {abs, "[RESULT] **4**", none, none},
        {abs, "[RESULT]\n4", '4', '4'},
        {abs, "[RESULT] 5/10", none, none},
        {abs, "[RESULT] 05", '5', none},
        {abs, "[RESULT] \u0663", '3', none},
        {abs, "[RESULT] 6", none, none},
        {abs, "[RESULT] 0", none, none},
        {abs, "[RESULT] 3 [RESULT] 4", '4', none},
        {abs, "[RESULT] : 3", none, none},
        {abs, "[RESULT]: 3", '3', none},
        {abs, "[SCORE]: 3", none, none},
        {abs, "[RESULT] 4\nScore 2 text", none, none},
        {abs, "[result] 2", '2', none},
        {abs, "underscore 3", '3', none},
        {abs, "[RESULT](3)", '3', none},
        {abs, "[RESULT] [3]", '3', none},
        {abs, "[RESULT] 3 )", none, none},
        {abs, "[RESULT] 3\n\n", '3', '3'},
        {abs, "[RESULT]3", '3', '3'},
        {abs, "Feedback: ok\n[RESULT] 10", none, none},
        {abs, "Score 5: perfect", none, none},
        {abs, "(Score 5)", '5', none},
        {abs, "score of: 3", none, none},
        {abs, "[RESULT] five", none, none},
        {abs, "Result 4", '4', none},
        {abs, "[RESULT] -3", none, none},
        {abs, "[RESULT] 3.0", none, none},
        {abs, "[RESULT] 3 (three)", none, none},
    });
}

TEST(Verdict, RelativeEdges) {
    expect_all({
        {rel, "x [RESULT] a", 'A', none},
        {rel, "x [RESULT] A\nmore", 'A', none},
        {rel, "[RESULT] A\n[RESULT] B", 'A', none},
        {rel, "[RESULT] A [RESULT] B", 'B', none},
        {rel, "[RESULT] Response A", 'A', none},
        {rel, "[Result] Response A", 'A', none},
        {rel, "[RESULT]: A", none, none},
        {rel, "foo Result: B", none, none},
        {rel, "Result: A", 'A', none},
        {rel, "Result B", 'B', none},
        {rel, "[RESULT] (A)", none, none},
        {rel, "[RESULT] \"A\"", none, none},
        {rel, "[RESULT] B.", none, none},
        {rel, "[RESULT] Tie", none, none},
        {rel, "[RESULT:A]", 'A', none},
        {rel, "[RESULT: A", 'A', none},
        {rel, "[Response A]", 'A', none},
        {rel, "[Response A", 'A', none},
        {rel, "[RESULT]\nB", 'B', 'B'},
        {rel, "[RESULT]B", 'B', 'B'},
        {rel, "[RESULT] A and B", none, none},
        {rel, "[RESULT] AB", none, none},
        {rel, "[RESULT] B</s>", none, none},
        {rel, "[RESULT] B  ", 'B', 'B'},
        {rel, "[SCORE] A", none, none},
    });
}

// What Python's re does beyond ASCII, checked against it.
TEST(Verdict, UnicodeAsPythonReadsIt) {
    expect_all({
        {abs, "[RESULT]\u00a0\u30004\u2028", '4',
         '4'},  // no-break and ideographic space, line separator
        {abs,
         "[RESULT]\x1c"
         "4",
         '4', '4'},                                 // file separator
        {abs, "[RESULT] 4\u180e", none, none},      // not a space since Unicode 6.3
        {abs, "\u017fcore 2", '2', none},           // the long s
        {abs, "[RESULT] \uff10\u0665", '5', none},  // digits of two scripts
        {abs, "[RESULT] \U0001d7fb", '5', none},    // monospace five
        {abs, "[RESULT] \u00b2", none, none},       // superscript two is no decimal digit
        {rel, "[RE\u017fULT] B", 'B', none},
        {rel, "x\u2028Result: A", none, none},  // a line begins after \n alone
        {rel, "x\nResult: A\n", 'A', none},
        {rel, "[RESULT] A\r\nmore", 'A', none},
    });
}

TEST(Verdict, OffsetIsTheByteOfTheSymbol) {
    const auto offset = [](Mode mode, std::string_view text) {
        return find_verdict(Parser::compat, mode, text)->offset;
    };
    EXPECT_EQ(offset(abs, "[RESULT] 3"), 9u);
    EXPECT_EQ(offset(abs, "[RESULT] 05 out of 5"), 10u);
    EXPECT_EQ(offset(abs, "\u00fcber \xff\xff [RESULT] \u0663"), 18u);
    EXPECT_EQ(offset(rel, "\u00fcber [RESULT] B]"), 15u);
    EXPECT_EQ(find_verdict(Parser::strict, rel, "\u00fcber [RESULT]\nA\n")->offset, 15u);
}

TEST(Verdict, InvalidUtf8IsRead) {
    expect_all({
        {abs, "\xff\xfe\x80 [RESULT] 3", '3', '3'},
        {abs, "cut off \xe2\x82", none, none},
        {abs, "[RESULT] 3\xc2", none, none},
        {abs, "[RESULT] \xd9", none, none},  // half an Arabic digit
        {abs,
         "[RESULT]\xc0\xa0"
         "3",
         none, none},  // an overlong space is no space
        {rel, "\xf0\x9f\x98 [RESULT] B", 'B', 'B'},
    });
    EXPECT_EQ(parsed(Parser::compat, abs, std::string_view("\0[RESULT] 3", 11)), '3');
}

std::string repeat(std::string_view part, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += part;
    return text;
}

// What makes a backtracking matcher take quadratic time or overflow its stack.
TEST(Verdict, LongTextsTakeLinearTime) {
    constexpr std::size_t bytes = 1 << 17;
    const auto start = std::chrono::steady_clock::now();
    for (const std::string_view part : {"[", " ", "score ", "score of ", "1", "\n", "Result:\n",
                                        "[Response ", "[RESULT] A ", "out of "})
        for (const std::string_view head : {"", "[RESULT]", "score", "Score 1", "[Result]"})
            for (const Mode mode : {abs, rel})
                EXPECT_EQ(
                    parsed(Parser::compat, mode, std::string(head) + repeat(part, bytes) + "."),
                    none)
                    << head << " and many " << part;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 60);  // about 1 with sanitizers; 2^34 steps take minutes
}

TEST(Verdict, MegabytesOfBrackets) {
    constexpr std::size_t megabyte = 1 << 20;
    const std::string brackets = repeat("[RESULT] [[[[", megabyte);
    expect_all({{abs, brackets, none, none},
                {rel, brackets, none, none},
                {abs, brackets + "4", '4', none},
                {rel, brackets + " [RESULT] B", 'B', none}});
    const std::string spread = "[RESULT]" + repeat("[ (", megabyte) + "4" + repeat(" \n", megabyte);
    EXPECT_EQ(parsed(Parser::compat, abs, spread), '4');
}

TEST(Verdict, IsCertainWhereALineEndsInTheBetterResponse) {
    for (const std::string_view text : {"[RESULT] A\n", "x [RESULT] b \t\nmore", "Result: A]\n\n",
                                        "[Response B\n [RESULT] A", "[RESULT]\nB\n"})
        EXPECT_TRUE(is_certain(Parser::compat, rel, text)) << text;
    for (const std::string_view text :
         {"", "[RESULT] A", "[RESULT] A ", "[RESULT] A\r", "[RESULT]\n", "[RESULT] A.\n",
          "[RESULT] A\u2028", "so A\n"})
        EXPECT_FALSE(is_certain(Parser::compat, rel, text)) << text;
    // These must end the text.
    EXPECT_FALSE(is_certain(Parser::compat, abs, "[RESULT] 4\n"));
    EXPECT_FALSE(is_certain(Parser::strict, abs, "[RESULT] 4\n"));
    EXPECT_FALSE(is_certain(Parser::strict, rel, "[RESULT] A\n"));
}

// Something that verdicts are made of, or that comes between.
std::string random_text(test::Random& random, std::uint32_t most_pieces) {
    constexpr std::array<std::string_view, 32> pieces{
        "[RESULT]", "[RESULT", "[Result:", "[Response", "Response", "Result", "[SCORE]",
        "score",    "of",      "/5",       "out of 5",  ":",        "[",      "]",
        "(",        ")",       "A",        "B",         "b",        "4",      "1",
        "5",        " ",       "\n",       "\n",        "\r",       "\u2028", "\xe2\x80",
        "x",        ".",       "Result B", "[RESULT] A"};
    std::string text;
    for (std::uint32_t left = random.below(most_pieces + 1); left > 0; --left)
        text += pieces[random.below(pieces.size())];
    return text;
}

TEST(Verdict, WhatIsCertainStaysWhateverFollows) {
    test::Random random(11);
    std::size_t certain = 0;
    for (int i = 0; i < 60000; ++i) {
        const std::string text = random_text(random, 12);
        for (const Parser parser : {Parser::compat, Parser::strict})
            for (const Mode mode : {abs, rel}) {
                if (!is_certain(parser, mode, text)) continue;
                ++certain;
                const auto stated = find_verdict(parser, mode, text);
                ASSERT_TRUE(stated) << text;
                for (int j = 0; j < 10; ++j) {
                    const std::string more = text + random_text(random, 8);
                    const auto still = find_verdict(parser, mode, more);
                    ASSERT_TRUE(still) << more;
                    EXPECT_EQ(still->verdict, stated->verdict) << more;
                    EXPECT_EQ(still->offset, stated->offset) << more;
                }
            }
    }
    EXPECT_GT(certain, 500u);
}

TEST(Verdict, ParsersHaveNames) {
    EXPECT_EQ(parser_named("compat"), Parser::compat);
    EXPECT_EQ(parser_named("strict"), Parser::strict);
    EXPECT_EQ(name(Parser::strict), "strict");
    EXPECT_THROW(parser_named("lax"), std::runtime_error);
}

}  // namespace
}  // namespace assay
