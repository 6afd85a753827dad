#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "grader/ranking/comparisons.h"
#include "grader/ranking/contest.h"
#include "grader/ranking/rating.h"
#include "grader/results.h"

namespace assay {

// What came of one contest.
struct Standing {
    std::vector<Game> games;         // that were judged
    std::size_t unjudged = 0;        // records without a verdict
    std::vector<Rating> ratings;     // by contestant
    std::vector<std::size_t> order;  // of contestants, best first; empty without games
    Triples triples;
};

using ResultsById = std::map<std::string, const Result*>;

// By the records of its comparisons, in whichever order they were judged. Records of pairs with
// other texts do not count.
Standing standing_of(const Contest& contest, const ResultsById& results, Wins wins,
                     std::uint64_t seed);

// {"id", "comparisons", "unjudged", "triples", "circular_triples", "ranking": [{"rank", "response":
// its number from 1, "generator"?, "strength", "interval"?: [low, high], "wins", "comparisons"}]}
nlohmann::ordered_json to_json(const Contest& contest, const Standing& standing);

// {"instruction", "id", "response", "generator"?, "strength", "of": how many there are}
nlohmann::ordered_json best_json(const Contest& contest, const Standing& standing);

}  // namespace assay
