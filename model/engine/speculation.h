#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "model/tokenizer.h"

namespace assay {

// Guesses how a text goes on by what followed its last tokens before (prompt lookup decoding,
// Saxena 2023): judges quote what they read. At most `most` tokens; none if these were never met.
std::vector<TokenId> guess_next(std::span<const TokenId> text, std::size_t most);

// Whether guessing pays for a text: guesses are paid for in tokens that could have been written
// instead, and those that come true earn them back. Nothing is timed, so that the same run
// guesses alike again.
class GuessingCredit {
public:
    bool pays() const { return tokens_ > 0; }
    // What became of a step with guesses, or that looked for some in vain. Its texts share its
    // time.
    void guessed(std::size_t guesses, std::size_t accepted, std::size_t texts);
    void rested();  // a step without

private:
    static constexpr double at_first = 1, at_most = 4;

    double tokens_ = at_first;
};

}  // namespace assay
