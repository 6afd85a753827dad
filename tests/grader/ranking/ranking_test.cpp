#include "grader/ranking/ranking.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace assay {
namespace {

Contest contest(const std::string& id, const std::vector<std::string>& generators) {
    Contest contest;
    contest.question.id = {id};
    contest.question.mode = Mode::relative;
    contest.question.instruction = "Which?";
    contest.question.rubric = *builtin_rubric("helpfulness");
    for (const std::string& generator : generators)
        contest.contestants.push_back(
            {generator, "response " + std::to_string(contest.contestants.size())});
    return contest;
}

// The record of a comparison: how likely the response shown first is better.
Result record(const Contest& contest, Match match, bool exchanged, double p_a) {
    const Item item = comparison(contest, match, exchanged);
    Result result;
    result.item_hash = item_hash(item);
    result.id = item.id.text;
    result.facts = {.verdict = p_a > 0.5 ? 'A' : 'B', .p_a = p_a};
    return result;
}

TEST(Ranking, ReadsComparisonsInEitherOrder) {
    const std::vector contests{contest("q", {"", "", ""})};
    std::vector<Result> results{record(contests[0], {0, 1}, false, 0.25),
                                record(contests[0], {0, 2}, true, 0.75),
                                record(contests[0], {1, 2}, true, 0.125)};
    const Ranking ranking = ranking_of(contests, results, Wins::probabilities, 0);
    const Standing& standing = ranking.standings.at(0);
    EXPECT_EQ(standing.order, (std::vector<std::size_t>{1, 2, 0}));
    EXPECT_DOUBLE_EQ(standing.ratings[0].wins, 0.25 + 0.25);
    EXPECT_DOUBLE_EQ(standing.ratings[1].wins, 0.75 + 0.875);
    EXPECT_EQ(standing.ratings[2].games, 2u);
    EXPECT_EQ(standing.triples.all, 1u);
    EXPECT_EQ(standing.triples.circular, 0u);
    EXPECT_EQ(ranking.comparisons(), 3u);
    EXPECT_TRUE(ranking.arena.generators.empty());
    // By verdicts alone.
    const Ranking verdicts = ranking_of(contests, results, Wins::verdicts, 0);
    EXPECT_EQ(verdicts.standings[0].ratings[1].wins, 2);
}

TEST(Ranking, LeavesOutWhatWasSaidOfOtherTexts) {
    std::vector contests{contest("q", {"", ""})};
    std::vector<Result> results{record(contests[0], {0, 1}, false, 0.25)};
    contests[0].contestants[1].response = "changed since";
    const Ranking nothing = ranking_of(contests, results, Wins::probabilities, 0);
    EXPECT_EQ(nothing.comparisons(), 0u);
    EXPECT_EQ(nothing.without_games(), std::vector<std::size_t>{0});
    EXPECT_TRUE(to_json(contests[0], nothing.standings[0])["ranking"].empty()) << "no one is known";
    Result unscored = record(contests[0], {0, 1}, true, 0.5);
    unscored.facts = {};
    results = {unscored};
    const Ranking ranking = ranking_of(contests, results, Wins::probabilities, 0);
    EXPECT_EQ(ranking.comparisons(), 0u);
    EXPECT_EQ(ranking.unjudged(), 1u);
}

TEST(Ranking, RanksGeneratorsOverAllItems) {
    std::vector<Contest> contests;
    std::vector<Result> results;
    for (int i = 0; i < 12; ++i) {
        contests.push_back(contest("q" + std::to_string(i), {"good", "bad", "good"}));
        contests.back().contestants[1].response += std::string(static_cast<std::size_t>(i), '.');
        // "good" beats "bad" in 9 of 12; its two responses do not play against each other.
        const double p = i % 4 == 0 ? 0 : 1;
        results.push_back(record(contests.back(), {0, 1}, false, p));
        results.push_back(record(contests.back(), {0, 2}, false, 1));
    }
    const Ranking ranking = ranking_of(contests, results, Wins::probabilities, 3);
    const Arena& arena = ranking.arena;
    ASSERT_EQ(arena.generators, (std::vector<std::string>{"good", "bad"}));
    EXPECT_EQ(arena.ratings[0].wins, 9);
    EXPECT_EQ(arena.ratings[0].games, 12u);
    // Odds of 3, less the draw with an average player.
    EXPECT_NEAR(elo(arena.ratings[0].strength) - elo(arena.ratings[1].strength),
                400 * std::log10(3), 20);
    EXPECT_LT(arena.ratings[0].interval->low, arena.ratings[0].strength);
    ASSERT_TRUE(arena.length_controlled[0]);
    EXPECT_NEAR(*arena.length_controlled[0] + *arena.length_controlled[1], 1, 1e-9);

    const auto json = to_json(ranking);
    EXPECT_EQ(json["generators"][0]["generator"], "good");
    EXPECT_EQ(json["generators"][0]["win_rate"], 0.75);
    EXPECT_EQ(json["generators"][0]["interval"].size(), 2u);
    EXPECT_EQ(json["items"].size(), 12u);
    EXPECT_EQ(json["comparisons"], 24);
    EXPECT_EQ(json["wins"], "probabilities");
}

TEST(Ranking, EloPointsAreOddsOf10To1For400) {
    EXPECT_EQ(elo(0), 1000);
    EXPECT_NEAR(elo(std::log(10)), 1400, 1e-9);
}

TEST(Ranking, TellsTheBestResponse) {
    const std::vector contests{contest("q", {"a", "b"})};
    const std::vector results{record(contests[0], {0, 1}, false, 0.25)};
    const Ranking ranking = ranking_of(contests, results, Wins::probabilities, 0);
    const auto json = best_json(contests[0], ranking.standings[0]);
    EXPECT_EQ(json["instruction"], "Which?");
    EXPECT_EQ(json["id"], "q");
    EXPECT_EQ(json["response"], "response 1");
    EXPECT_EQ(json["generator"], "b");
    EXPECT_EQ(json["of"], 2);
    EXPECT_GT(json["strength"], 0);
    const auto ranked = to_json(contests[0], ranking.standings[0]);
    EXPECT_EQ(ranked["ranking"][0]["response"], 2);
    EXPECT_FALSE(ranked["ranking"][0].contains("interval")) << "one comparison has nothing to draw";
}

}  // namespace
}  // namespace assay
