#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "grader/ranking/arena.h"
#include "grader/ranking/standing.h"

namespace assay {

// What came of contests. It is of no use after them.
struct Ranking {
    std::span<const Contest> contests;
    std::vector<Standing> standings;  // by contest
    Arena arena;
    Wins wins;
    std::uint64_t seed;

    std::size_t comparisons() const;  // that were judged
    std::size_t unjudged() const;
    std::vector<std::size_t> without_games() const;  // contests: they have no ranks
};

Ranking ranking_of(std::span<const Contest> contests, std::span<const Result> results, Wins wins,
                   std::uint64_t seed);

// {"items": [...], "generators": [...], "comparisons", "unjudged", "wins", "prior", "level",
// "resamples", "seed"}
nlohmann::ordered_json to_json(const Ranking& ranking);

}  // namespace assay
