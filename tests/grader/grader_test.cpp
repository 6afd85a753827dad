#include "grader/grader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/checkpoint.h"
#include "runtime/error.h"

namespace assay {
namespace {

const Tokenizer& demo_tokenizer() {
    static const Tokenizer tokenizer = open_tokenizer(resolve_model("demo"));
    return tokenizer;
}

// Writes a given text and then ends it. Where the text so far ends in the marker, the logits favour
// verdicts as told.
class ScriptedWriter : public Writer {
public:
    ScriptedWriter(const std::string& text, std::map<char, float> verdict_logits,
                   std::uint32_t context_tokens = 1024)
        : script_(demo_tokenizer().encode(text)),
          verdict_logits_(std::move(verdict_logits)),
          context_(context_tokens) {}

    const Tokenizer& tokenizer() const override { return demo_tokenizer(); }
    std::uint32_t context() const override { return context_; }
    bool ends_text(TokenId token) const override { return token == demo_tokenizer().eos_id(); }
    void begin(std::span<const TokenId> prompt) override {
        tokens.assign(prompt.begin(), prompt.end());
        prompt_length_ = prompt.size();
    }
    void append(std::span<const TokenId> more) override {
        tokens.insert(tokens.end(), more.begin(), more.end());
        EXPECT_LT(tokens.size(), context_);
    }
    void truncate(std::uint32_t length) override { tokens.resize(length); }
    Choice choose(const Sampling&, const Draw& draw, bool with_logits) override {
        drawn.push_back(uniform(draw));
        const std::size_t written = tokens.size() - prompt_length_;
        Choice choice{written < script_.size() ? script_[written] : demo_tokenizer().eos_id(), {}};
        if (with_logits) {
            ++logits_asked;
            choice.logits.assign(demo_tokenizer().vocab_size(), -20);
            for (auto [verdict, logit] : verdict_logits_)
                for (const std::string& piece :
                     {std::string(1, verdict), "\u2581" + std::string(1, verdict)})
                    if (auto id = demo_tokenizer().find_piece(piece)) choice.logits[*id] = logit;
        }
        return choice;
    }
    // What follows the prompt now.
    std::string text() const {
        return demo_tokenizer().decode(std::span(tokens).subspan(prompt_length_));
    }

    std::vector<TokenId> tokens;
    std::vector<float> drawn;  // the random numbers given
    int logits_asked = 0;

private:
    std::vector<TokenId> script_;
    std::map<char, float> verdict_logits_;
    std::uint32_t context_;
    std::size_t prompt_length_ = 0;
};

Item absolute_item() {
    Item item;
    item.id = {"one", false};
    item.instruction = "Why?";
    item.response = "Because.";
    item.rubric = *builtin_rubric("helpfulness");
    return item;
}

Item relative_item() {
    Item item = absolute_item();
    item.mode = Mode::relative;
    item.response_b = "Who knows.";
    return item;
}

Grade grade_of(Writer& writer, const Item& item, const GraderOptions& options = {}) {
    const Record record = Grader(writer, options).grade(item);
    if (!record.scored()) throw Error(std::get<Unscored>(record.result).error);
    return std::get<Grade>(record.result);
}

TEST(Grader, ReadsTheStatedVerdictAndItsProbabilities) {
    ScriptedWriter writer("Good, with a gap. [RESULT] 4", {{'4', 2.0f}, {'5', 1.0f}, {'3', 0.0f}});
    const Grade grade = grade_of(writer, absolute_item());
    EXPECT_EQ(grade.verdict, Verdict{'4'});
    EXPECT_EQ(grade.source, VerdictSource::text);
    EXPECT_EQ(grade.finish, Finish::eos);
    EXPECT_EQ(grade.feedback, "Good, with a gap. [RESULT] 4");
    // A verdict spelt by two tokens of equal logits weighs twice as much; every digit has as many
    // spellings here.
    const double total = std::exp(2.0) + std::exp(1.0) + 1;
    EXPECT_NEAR(grade.distribution.of({'4'}), std::exp(2.0) / total, 1e-6);
    EXPECT_NEAR(grade.distribution.of({'5'}), std::exp(1.0) / total, 1e-6);
    EXPECT_NEAR(grade.distribution.of({'1'}), 0, 1e-8);

    std::vector<TokenId> text = demo_tokenizer().encode("Good, with a gap. [RESULT] 4");
    text.push_back(demo_tokenizer().eos_id());
    EXPECT_EQ(grade.written, text);
    text.resize(text.size() - 2);
    EXPECT_EQ(grade.before_verdict, text);
}

TEST(Grader, ReadsPairs) {
    ScriptedWriter writer("A is better. [RESULT] A", {{'A', 3.0f}, {'B', 0.0f}});
    const Grade grade = grade_of(writer, relative_item());
    EXPECT_EQ(grade.verdict, Verdict{'A'});
    EXPECT_EQ(grade.source, VerdictSource::text);
    EXPECT_NEAR(grade.distribution.of({'A'}), 1 / (1 + std::exp(-3.0)), 1e-6);
}

TEST(Grader, ForcesAVerdictWhenTheTextEndsWithoutOne) {
    ScriptedWriter writer("I would rather not say.", {{'2', 5.0f}, {'3', 4.0f}});
    const Grade grade = grade_of(writer, absolute_item());
    EXPECT_EQ(grade.verdict, Verdict{'2'});
    EXPECT_EQ(grade.source, VerdictSource::forced);
    EXPECT_EQ(grade.feedback, "I would rather not say.");
    EXPECT_TRUE(writer.text().starts_with("I would rather not say. [RESULT]")) << writer.text();
    EXPECT_EQ(grade.written.back(), demo_tokenizer().eos_id());
    EXPECT_EQ(demo_tokenizer().decode(grade.before_verdict), writer.text());
}

TEST(Grader, ForcesAVerdictAtTheTokenLimit) {
    ScriptedWriter writer("one two three four five six seven eight nine ten [RESULT] 5",
                          {{'1', 9.0f}});
    GraderOptions options;
    options.max_new_tokens = 4;
    const Grade grade = grade_of(writer, absolute_item(), options);
    EXPECT_EQ(grade.finish, Finish::length);
    EXPECT_EQ(grade.source, VerdictSource::forced);
    EXPECT_EQ(grade.tokens.generated, 4u);
    EXPECT_EQ(grade.verdict, Verdict{'1'});
}

TEST(Grader, AnUnfinishedMarkerIsCompletedNotRepeated) {
    ScriptedWriter writer("Fine. [RESULT]", {{'3', 1.0f}});
    const Grade grade = grade_of(writer, absolute_item());
    EXPECT_EQ(grade.source, VerdictSource::forced);
    EXPECT_EQ(grade.verdict, Verdict{'3'});
    EXPECT_EQ(writer.text().find("[RESULT]"), writer.text().rfind("[RESULT]")) << writer.text();
}

TEST(Grader, WhatTheParserRefusesIsReadWhereItStands) {
    // The library finds no verdict before a full stop; the token after the marker tells.
    ScriptedWriter writer("Fine. [RESULT] 4.", {{'4', 6.0f}, {'5', 2.0f}});
    const Grade grade = grade_of(writer, absolute_item());
    EXPECT_EQ(grade.source, VerdictSource::forced);
    EXPECT_EQ(grade.verdict, Verdict{'4'});
}

TEST(Grader, AVerdictWithoutTheMarkerKeepsItsProbabilitiesFromATail) {
    ScriptedWriter compat("Fine. Score: 4", {{'4', 6.0f}});
    Grade grade = grade_of(compat, absolute_item());
    EXPECT_EQ(grade.source, VerdictSource::text);
    EXPECT_EQ(grade.verdict, Verdict{'4'});
    EXPECT_NE(compat.text().find("Score: 4 [RESULT]"), std::string::npos) << compat.text();

    ScriptedWriter strict("Fine. Score: 4", {{'5', 6.0f}});
    GraderOptions options;
    options.parser = Parser::strict;
    grade = grade_of(strict, absolute_item(), options);
    EXPECT_EQ(grade.source, VerdictSource::forced);
    EXPECT_EQ(grade.verdict, Verdict{'5'});
}

TEST(Grader, LogitsAreAskedForOnlyWhereAVerdictMayStand) {
    ScriptedWriter writer("A long text without any marker until its very end. [RESULT] 4",
                          {{'4', 2.0f}});
    grade_of(writer, absolute_item());
    EXPECT_LE(writer.logits_asked, 3);  // after the marker, after a space, at the end
}

TEST(Grader, StreamsTheFeedback) {
    ScriptedWriter writer("Caf\u00e9 \u4f60\u597d, fine. [RESULT] 4", {{'4', 2.0f}});
    std::string streamed;
    const Record record = Grader(writer, {}).grade(absolute_item(), [&](std::string_view piece) {
        streamed += piece;
    });
    EXPECT_EQ(streamed, std::get<Grade>(record.result).feedback);
    EXPECT_EQ(streamed, "Caf\u00e9 \u4f60\u597d, fine. [RESULT] 4");
}

TEST(Grader, APromptLongerThanTheContextIsUnscored) {
    ScriptedWriter writer("Fine. [RESULT] 4", {}, 64);
    const Record record = Grader(writer, {}).grade(absolute_item());
    ASSERT_FALSE(record.scored());
    const Unscored& why = std::get<Unscored>(record.result);
    EXPECT_EQ(why.reason, "context_exceeded");
    EXPECT_NE(why.error.find("64"), std::string::npos) << why.error;
}

TEST(Grader, TheTailFitsHoweverCloseTheContextIs) {
    const std::string text = "one two three four five six seven eight nine ten";
    const auto prompt =
        prompt_tokens(demo_tokenizer(), render(profiles().front(), absolute_item()));
    const std::size_t tail_and_verdict = demo_tokenizer().encode("[RESULT] 2").size();
    const std::size_t whole = demo_tokenizer().encode(text).size();
    for (std::size_t room = 0; room < tail_and_verdict + whole + 3; ++room) {
        ScriptedWriter writer(text, {{'2', 1.0f}},
                              static_cast<std::uint32_t>(prompt.size() + room));
        const Record record =
            Grader(writer, {}).grade(absolute_item());  // append() checks the length
        ASSERT_EQ(record.scored(), room > tail_and_verdict) << "room for " << room;
        if (!record.scored()) continue;
        const Grade& grade = std::get<Grade>(record.result);
        EXPECT_EQ(grade.verdict, Verdict{'2'});
        EXPECT_EQ(grade.tokens.generated, std::min(whole, room - tail_and_verdict))
            << "room for " << room;
    }
}

TEST(Grader, AHugePromptIsUnscoredWithoutCuttingItIntoTokens) {
    ScriptedWriter writer("Fine. [RESULT] 4", {});
    Item item = absolute_item();
    item.response.assign(1 << 20, 'a');
    const Record record = Grader(writer, {}).grade(item);
    ASSERT_FALSE(record.scored());
    EXPECT_EQ(std::get<Unscored>(record.result).reason, "context_exceeded");
    EXPECT_NE(std::get<Unscored>(record.result).error.find("at least"), std::string::npos);
}

TEST(Grader, RandomNumbersDependOnThePromptAlone) {
    const auto drawn = [](const Item& item, std::uint64_t seed) {
        ScriptedWriter writer("one two three [RESULT] 4", {{'4', 2.0f}});
        GraderOptions options = options_of(profile_named("paper-eval"));
        options.seed = seed;
        grade_of(writer, item, options);
        return writer.drawn;
    };
    Item renamed = absolute_item(), changed = absolute_item();
    renamed.id = {"77", true};
    changed.response += "!";
    EXPECT_EQ(drawn(renamed, 1), drawn(absolute_item(), 1));
    EXPECT_NE(drawn(changed, 1).front(), drawn(absolute_item(), 1).front());
    EXPECT_NE(drawn(absolute_item(), 2).front(), drawn(absolute_item(), 1).front());
}

TEST(Grader, AProfileWithoutTheFormatLeavesTheItemUnscored) {
    ScriptedWriter writer("A [RESULT] A", {});
    const Record record = Grader(writer, options_of(profile_named("p1"))).grade(relative_item());
    ASSERT_FALSE(record.scored());
    EXPECT_EQ(std::get<Unscored>(record.result).reason, "unsupported_format");
}

TEST(Grader, PaperProfileBringsItsSampling) {
    const GraderOptions options = options_of(profile_named("paper-eval"));
    EXPECT_EQ(options.sampling,
              (Sampling{.temperature = 1.0f, .top_p = 0.9f, .repetition_penalty = 1.03f}));
    EXPECT_EQ(options.max_new_tokens, 1024u);
    EXPECT_EQ(options_of(profiles().front()).sampling, Sampling{});
    const auto ids = prompt_tokens(demo_tokenizer(), render(*options.profile, absolute_item()));
    EXPECT_EQ(ids[0], demo_tokenizer().bos_id());
    EXPECT_EQ(ids[1], demo_tokenizer().bos_id());
    EXPECT_NE(ids[2], demo_tokenizer().bos_id());
}

}  // namespace
}  // namespace assay
