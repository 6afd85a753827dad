#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "grader/item.h"
#include "grader/prompt.h"
#include "grader/record.h"
#include "grader/verdict.h"
#include "grader/writer.h"

namespace assay {

struct GraderOptions {
    const Profile* profile = &profiles().front();
    Parser parser = Parser::compat;
    Sampling sampling;
    std::uint32_t max_new_tokens = 1024;
    std::uint64_t seed = 0;
    Judge judge;  // what records say of the model
};

// What a profile asks for unless the user says otherwise.
GraderOptions options_of(const Profile& profile);

// The tokens of a prompt, BOS included.
std::vector<TokenId> prompt_tokens(const Tokenizer& tokenizer, const Prompt& prompt);

// Called with each piece of feedback as it is written: whole UTF-8 characters.
using OnText = std::function<void(std::string_view)>;

// How a mode's verdict is spelt in tokens.
struct Ending {
    std::vector<TokenId> tail;  // "[RESULT]" and what stands between it and the verdict
    std::vector<std::vector<TokenId>>
        spellings;  // tokens that say each verdict, in the order of legal_verdicts()
};

// Grades items one after another. The judge writes feedback freely; if its text states no verdict,
// a tail with the verdict's marker is put after it and the likeliest legal token taken, so that a
// verdict always exists. Probabilities come from the raw logits where the verdict stands.
class Grader {
public:
    // Throws an Error if the vocabulary can't tell the verdicts of a mode apart by one token.
    Grader(Writer& writer, const GraderOptions& options);

    // What is wrong with the item makes an unscored record, what is wrong with the model an Error.
    Record grade(const Item& item, const OnText& on_text = {});

    // The probabilities of the verdicts where these raw logits were taken.
    VerdictDistribution distribution(Mode mode, std::span<const float> logits) const;

private:
    struct Text;  // what the judge wrote

    Text write(const std::vector<TokenId>& prompt, std::uint64_t prompt_hash, Mode mode,
               std::uint32_t limit, const OnText& on_text);
    Grade judge_text(Text text, Mode mode);
    void force_verdict(Text& text, Mode mode);
    const Ending& ending(Mode mode) const { return endings_[static_cast<std::size_t>(mode)]; }

    Writer& writer_;
    GraderOptions options_;
    std::array<Ending, 2> endings_;  // by mode
    std::size_t longest_piece_;      // bytes that a token stands for at most
};

}  // namespace assay
