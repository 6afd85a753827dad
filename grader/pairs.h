#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "grader/item.h"

// Pairs of the responses to one instruction, in which the one with the greater score is the better.
namespace assay {

// A response and what it is worth to whoever scored it.
struct ScoredResponse {
    Item item;  // absolute
    double score = 0;
    std::string feedback = {};  // why; empty: not known
};

enum class Ties { drop, keep };

struct PairingOptions {
    Ties ties = Ties::drop;
    double least_gap = 0;    // scores that differ, but by less, make no pair
    std::size_t limit = 0;   // pairs of an instruction, drawn by the seed; 0: all
    std::uint64_t seed = 0;  // also of which response is A
};

// Two of the responses, by their indices.
struct ResponsePair {
    std::size_t a, b;
    char preferred;  // 'A', 'B', or '=' for a tie

    bool operator==(const ResponsePair&) const = default;
};

struct Pairing {
    std::vector<ResponsePair> pairs;  // instructions and responses in the order of their first one
    std::size_t instructions = 0;
    // Pairs that were left out: of equal scores, of scores too near, of one text, above the limit.
    std::size_t ties = 0, near = 0, same_text = 0, above_limit = 0;
};

constexpr std::size_t most_responses = 1000;  // to an instruction

// All pairs of responses that agree in instruction, rubric, reference answer and context. A and B
// are the better one equally often among the pairs of an instruction; where their number is odd,
// the seed decides. That depends on seed and texts alone, not on the order of the responses.
// Throws an Error if an instruction has more than most_responses.
Pairing pair_up(std::span<const ScoredResponse> responses, const PairingOptions& options);

// The pair as an item to grade, with what is preferred as its label: "ID+ID".
Item pair_item(std::span<const ScoredResponse> responses, const ResponsePair& pair);

}  // namespace assay
