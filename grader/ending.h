#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "grader/record.h"
#include "model/tokenizer.h"

namespace assay {

constexpr std::string_view verdict_marker = "[RESULT]";

// How the verdicts of a mode are spelt in tokens.
struct Ending {
    Mode mode;
    std::vector<TokenId> tail;          // the marker and what stands between it and the verdict
    std::vector<TokenId> spellings;     // each token that says a verdict
    std::vector<std::size_t> verdicts;  // which it says: an index of legal_verdicts()

    bool says_verdict(TokenId token) const;
    // The softmax over the verdicts, each with the weight of all its spellings, from the raw logits
    // of the spellings. Throws as verdict_distribution() does.
    VerdictDistribution distribution(std::span<const float> logits) const;
};

// Throws an Error if the vocabulary can't tell the verdicts of the mode apart by one token.
Ending find_ending(const Tokenizer& tokenizer, Mode mode);

// Whether the next word is the verdict's place: the marker, then nothing but white space.
bool at_verdict(std::string_view text);

}  // namespace assay
