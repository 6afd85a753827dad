#include "grader/statistics/bradley_terry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "grader/stopwatch.h"
#include "tests/model/test_files.h"
#include "tests/support/golden.h"

namespace assay::test {
namespace {

// Strengths that scipy.optimize finds: tests/data/statistics/make_bradley_terry.py.
TEST(BradleyTerry, IsAsScipyFindsIt) {
    const auto golden = read_json(data("statistics/bradley_terry.json"));
    ASSERT_EQ(golden["cases"].size(), 7u);
    for (const auto& one : golden["cases"]) {
        std::vector<PlayedPair> pairs;
        for (const auto& pair : one["pairs"]) pairs.push_back({pair[0], pair[1], pair[2], pair[3]});
        const std::vector<double> expected = one["strengths"];
        const auto found = bradley_terry(one["players"], pairs, one["prior"]);
        ASSERT_EQ(found.size(), expected.size());
        for (std::size_t i = 0; i < found.size(); ++i)
            EXPECT_NEAR(found[i], expected[i], 1e-11) << one["name"] << " " << i;
        EXPECT_NEAR(std::accumulate(found.begin(), found.end(), 0.0), 0, 1e-12) << one["name"];
    }
}

TEST(BradleyTerry, OfTwoIsTheLogarithmOfTheOdds) {
    const auto strengths = bradley_terry(2, std::vector<PlayedPair>{{0, 1, 3e9, 1e9}});
    EXPECT_NEAR(strengths[0] - strengths[1], std::log(3), 1e-8);
}

TEST(BradleyTerry, DoesNotDependOnWhereItStarts) {
    const std::vector<PlayedPair> pairs{{0, 1, 4, 0}, {1, 2, 3, 1}, {2, 3, 9, 0}, {0, 3, 2, 0}};
    const auto expected = bradley_terry(4, pairs, 1e-6);
    for (const auto& start : {std::vector<double>{30, -30, 30, -30}, {-40, 0, 0, 40}}) {
        const auto found = bradley_terry(4, pairs, 1e-6, start);
        for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found[i], expected[i], 1e-8);
    }
}

// As many players as ten rounds of a Swiss tournament tell apart: a matrix of them all, decomposed
// in every step, takes minutes.
TEST(BradleyTerry, OfManyPlayersTakesAsLongAsThereAreGames) {
    constexpr std::size_t players = 2000;
    std::vector<PlayedPair> pairs;
    for (std::size_t round = 0; round < 10; ++round)
        for (std::size_t i = 0; i < players; ++i) {
            const std::size_t other = (i + 1 + 37 * round * round) % players;
            const double share = i < other ? 0.9 : i % 7 == round % 7 ? 0.8 : 0.3;
            pairs.push_back({i, other, share, 1 - share});
        }
    const Stopwatch watch;
    const auto strengths = bradley_terry(players, pairs);
    EXPECT_LT(watch.seconds(), 5);
    // The likeliest: everyone wins as often as expected. The player of strength 0 has the mean back.
    std::vector<double> surprise(players);
    const auto chance = [](double difference) { return 1 / (1 + std::exp(-difference)); };
    for (const auto& [i, j, wins, losses] : pairs) {
        const double expected = chance(strengths[i] - strengths[j]);
        surprise[i] += wins - expected;
        surprise[j] -= wins - expected;
    }
    double shift = 0;  // by which the mean was moved to 0; Newton's method
    for (int step = 0; step < 20; ++step) {
        double sum = 0, slope = 0;
        for (const double strength : strengths) {
            const double p = chance(strength + shift);
            sum += 0.5 - p;
            slope += p * (1 - p);
        }
        shift += sum / slope;
    }
    for (std::size_t i = 0; i < players; ++i)
        EXPECT_NEAR(surprise[i] + 0.5 - chance(strengths[i] + shift), 0, 1e-11) << i;
}

TEST(BradleyTerry, OfNobodyIsNothing) {
    EXPECT_TRUE(bradley_terry(0, {}).empty());
    EXPECT_EQ(bradley_terry(3, {}), std::vector<double>(3));
}

}  // namespace
}  // namespace assay::test
