#include "grader/ranking/ranking.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "grader/statistics/bradley_terry.h"

namespace assay {

using Json = nlohmann::ordered_json;

std::size_t Ranking::comparisons() const {
    std::size_t sum = 0;
    for (const Standing& standing : standings) sum += standing.games.size();
    return sum;
}

std::size_t Ranking::unjudged() const {
    std::size_t sum = 0;
    for (const Standing& standing : standings) sum += standing.unjudged;
    return sum;
}

std::vector<std::size_t> Ranking::without_games() const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < standings.size(); ++i)
        if (standings[i].games.empty()) found.push_back(i);
    return found;
}

Ranking ranking_of(std::span<const Contest> contests, std::span<const Result> results, Wins wins,
                   std::uint64_t seed) {
    ResultsById by_id;
    for (const Result& result : results) by_id[result.id] = &result;
    Ranking ranking{.contests = contests, .standings = {}, .arena = {}, .wins = wins, .seed = seed};
    for (const Contest& contest : contests)
        ranking.standings.push_back(standing_of(contest, by_id, wins, seed));
    ranking.arena = arena_of(contests, ranking.standings, seed);
    return ranking;
}

Json to_json(const Ranking& ranking) {
    Json items = Json::array();
    for (std::size_t i = 0; i < ranking.contests.size(); ++i)
        items.push_back(to_json(ranking.contests[i], ranking.standings[i]));
    return {{"items", std::move(items)},
            {"generators", to_json(ranking.arena)},
            {"comparisons", ranking.comparisons()},
            {"unjudged", ranking.unjudged()},
            {"wins", ranking.wins == Wins::probabilities ? "probabilities" : "verdicts"},
            {"prior", bradley_terry_prior},
            {"level", 0.95},
            {"resamples", rating_resamples},
            {"seed", ranking.seed}};
}

}  // namespace assay
