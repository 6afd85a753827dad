#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "model/tokenizer.h"

namespace assay {

// Guesses how a text goes on by what followed its last tokens before (prompt lookup decoding,
// Saxena 2023): judges quote what they read. At most `most` tokens; none if these were never met.
std::vector<TokenId> guess_next(std::span<const TokenId> text, std::size_t most);

// Whether guessing pays: by how fast texts were written with it and without it lately. Steps are of
// one kind or the other; the slower kind is tried again now and then.
class GuessingRate {
public:
    bool pays();  // asked once for every step
    void add(bool guessed, double seconds, std::size_t tokens);

private:
    struct Kind {
        std::size_t steps = 0;
        double seconds = 0, tokens = 0;  // of the last ten steps or so

        double rate() const { return tokens / seconds; }
    };
    std::array<Kind, 2> kinds_;
    std::size_t asked_ = 0;
};

}  // namespace assay
