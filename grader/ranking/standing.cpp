#include "grader/ranking/standing.h"

#include <nlohmann/json.hpp>

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

// What the results say of a match, in whichever order it was judged; both if it was in both.
void add_games(Standing& standing, const Contest& contest, Match match, const ResultsById& results,
               Wins wins) {
    for (const bool exchanged : {false, true}) {
        const Item item = comparison(contest, match, exchanged);
        const auto found = results.find(item.id.text);
        if (found == results.end() || found->second->item_hash != item_hash(item)) continue;
        const auto share = share_of_a(found->second->facts, wins);
        if (share)
            standing.games.push_back({match, exchanged ? 1 - *share : *share});
        else
            ++standing.unjudged;
    }
}

}  // namespace

Standing standing_of(const Contest& contest, const ResultsById& results, Wins wins,
                     std::uint64_t seed) {
    const std::size_t contestants = contest.contestants.size();
    Standing standing;
    for (const Match& match : round_robin(contestants))
        add_games(standing, contest, match, results, wins);
    std::vector<std::vector<Game>> groups;
    for (const Game& game : standing.games) groups.push_back({game});
    standing.ratings = rate(contestants, groups, seed);
    if (!standing.games.empty()) standing.order = best_first(standing.ratings);
    standing.triples = count_triples(contestants, standing.games);
    return standing;
}

Json to_json(const Contest& contest, const Standing& standing) {
    Json ranking = Json::array();
    for (const std::size_t contestant : standing.order) {
        const Rating& rating = standing.ratings[contestant];
        Json place{{"rank", ranking.size() + 1}, {"response", contestant + 1}};
        if (const auto& generator = contest.contestants[contestant].generator; !generator.empty())
            place["generator"] = generator;
        place["strength"] = rating.strength;
        if (rating.interval) place["interval"] = {rating.interval->low, rating.interval->high};
        place["wins"] = rating.wins;
        place["comparisons"] = rating.games;
        ranking.push_back(std::move(place));
    }
    return {{"id", to_json(contest.question.id)},
            {"comparisons", standing.games.size()},
            {"unjudged", standing.unjudged},
            {"triples", standing.triples.all},
            {"circular_triples", standing.triples.circular},
            {"ranking", std::move(ranking)}};
}

Json best_json(const Contest& contest, const Standing& standing) {
    const std::size_t best = standing.order.front();
    const Contestant& contestant = contest.contestants[best];
    Json json{{"instruction", contest.question.instruction},
              {"id", to_json(contest.question.id)},
              {"response", contestant.response}};
    if (!contestant.generator.empty()) json["generator"] = contestant.generator;
    json["strength"] = standing.ratings[best].strength;
    json["of"] = contest.contestants.size();
    return json;
}

}  // namespace assay
