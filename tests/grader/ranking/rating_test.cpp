#include "grader/ranking/rating.h"

#include <gtest/gtest.h>

#include <cmath>

#include "grader/statistics/bradley_terry.h"

namespace assay {
namespace {

std::vector<std::vector<Game>> one_by_one(const std::vector<Game>& games) {
    std::vector<std::vector<Game>> groups;
    for (const Game& game : games) groups.push_back({game});
    return groups;
}

// 0 beats 1 nine times of ten, 1 beats 2 six times of ten, 2 never beats 0.
std::vector<Game> three() {
    std::vector<Game> games;
    for (int i = 0; i < 10; ++i) {
        games.push_back({{0, 1}, i < 9 ? 1.0 : 0.0});
        games.push_back({{1, 2}, i < 6 ? 1.0 : 0.0});
        games.push_back({{0, 2}, 1});
    }
    return games;
}

TEST(Rating, RatesByBradleyAndTerry) {
    const auto ratings = rate(3, one_by_one(three()), 0);
    const auto expected =
        bradley_terry(3, std::vector<PlayedPair>{{0, 1, 9, 1}, {1, 2, 6, 4}, {0, 2, 10, 0}});
    ASSERT_EQ(ratings.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_NEAR(ratings[i].strength, expected[i], 1e-12);
        EXPECT_EQ(ratings[i].games, 20u);
        ASSERT_TRUE(ratings[i].interval);
        EXPECT_LT(ratings[i].interval->low, ratings[i].strength);
        EXPECT_GT(ratings[i].interval->high, ratings[i].strength);
    }
    EXPECT_EQ(ratings[0].wins, 19);
    EXPECT_EQ(ratings[1].wins, 7);
    EXPECT_EQ(ratings[2].wins, 4);
    EXPECT_EQ(best_first(ratings), (std::vector<std::size_t>{0, 1, 2}));
}

TEST(Rating, IntervalsDrawWholeGroups) {
    const auto games = three();
    const auto alone = rate(3, one_by_one(games), 1);
    EXPECT_EQ(rate(3, one_by_one(games), 1)[0].interval->low, alone[0].interval->low);
    EXPECT_NE(rate(3, one_by_one(games), 2)[0].interval->low, alone[0].interval->low);
    EXPECT_FALSE(rate(3, std::vector(1, games), 1)[0].interval) << "one group has nothing to draw";
    // Ten groups that are alike make every draw the same.
    const std::vector<Game> like{{{0, 1}, 0.75}, {{1, 2}, 0.5}};
    const auto certain = rate(3, std::vector(10, like), 1);
    for (const Rating& rating : certain) {
        EXPECT_NEAR(rating.interval->low, rating.strength, 1e-6);  // as close as resamples are
        EXPECT_NEAR(rating.interval->high, rating.strength, 1e-6);
    }
}

TEST(Rating, KeepsWhoNeverLostFinite) {
    const auto ratings = rate(2, one_by_one({{{0, 1}, 1}, {{0, 1}, 1}}), 0);
    // Two wins and a draw with an average player: p - 1/2 = 2 (1 - chance), by hand.
    const double s = ratings[0].strength, p = 1 / (1 + std::exp(-s)),
                 chance = 1 / (1 + std::exp(-2 * s));
    EXPECT_NEAR(p - 0.5, 2 * (1 - chance), 1e-12);
    EXPECT_GT(s, 0.5);
    EXPECT_NEAR(ratings[1].strength, -s, 1e-12);
}

TEST(Rating, OfNoGamesIsTheOrderGiven) {
    const auto ratings = rate(3, {}, 0);
    EXPECT_EQ(best_first(ratings), (std::vector<std::size_t>{0, 1, 2}));
    EXPECT_EQ(ratings[2].games, 0u);
}

TEST(Rating, CountsCircularTriples) {
    const std::vector<Game> circle{{{0, 1}, 0.9}, {{1, 2}, 0.6}, {{0, 2}, 0.2}};
    EXPECT_EQ(count_triples(3, circle).all, 1u);
    EXPECT_EQ(count_triples(3, circle).circular, 1u);
    // 3 beats all.
    const std::vector<Game> more{{{0, 1}, 0.9}, {{1, 2}, 0.6}, {{0, 2}, 0.2},
                                 {{0, 3}, 0},   {{1, 3}, 0},   {{2, 3}, 0}};
    EXPECT_EQ(count_triples(4, more).all, 4u);
    EXPECT_EQ(count_triples(4, more).circular, 1u);
    const std::vector<Game> order{{{0, 1}, 0.9}, {{1, 2}, 0.6}, {{0, 2}, 0.8}};
    EXPECT_EQ(count_triples(3, order).circular, 0u);
    const std::vector<Game> drawn{{{0, 1}, 0.9}, {{1, 2}, 0.5}, {{0, 2}, 0.2}};
    EXPECT_EQ(count_triples(3, drawn).all, 0u);
    EXPECT_EQ(count_triples(4, circle).all, 1u) << "one who met nobody";
}

}  // namespace
}  // namespace assay
