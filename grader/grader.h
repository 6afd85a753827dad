#pragma once
#include <cstdint>
#include <functional>
#include <string_view>

#include "grader/item.h"
#include "grader/prompt.h"
#include "grader/record.h"
#include "grader/verdict.h"
#include "grader/writer.h"

namespace assay {

struct GraderOptions {
    const Profile* profile = &profiles().front();
    Parser parser = Parser::compat;
    Sampling sampling;                   // as the profile has it, unless changed: see sampling_of()
    std::uint32_t max_new_tokens = 1024;
    std::uint64_t seed = 0;
    Judge judge;                         // what records say of the model
};

// A profile's sampling and token limit in the terms of the engine.
GraderOptions options_of(const Profile& profile);

// Called with each piece of feedback as it is written: whole UTF-8 characters.
using OnText = std::function<void(std::string_view)>;

// Grades items one after another. The judge writes feedback freely; if its text states no verdict, a tail with the
// verdict's marker is put after it and the likeliest legal token taken, so that a verdict always exists. Probabilities
// come from the raw logits where the verdict stands.
class Grader {
public:
    // Throws an Error if the vocabulary can't tell the verdicts of a mode apart by one token.
    Grader(Writer& writer, GraderOptions options);

    // Never throws for what is wrong with the item: the record says it is unscored and why.
    Record grade(const Item& item, const OnText& on_text = {});

private:
    // How a mode's verdict is spelt in tokens.
    struct Ending {
        std::vector<TokenId> tail;                    // " [RESULT] " up to the verdict
        std::vector<std::vector<TokenId>> spellings;  // tokens that say each verdict, in the order of legal_verdicts()
    };
    struct Text;

    Ending find_ending(Mode mode) const;
    Grade write(const Item& item, const Prompt& prompt, const std::vector<TokenId>& ids, const OnText& on_text);
    VerdictDistribution distribution(Mode mode, std::span<const float> logits) const;

    Writer& writer_;
    GraderOptions options_;
    std::array<Ending, 2> endings_;  // by mode
};

}  // namespace assay
