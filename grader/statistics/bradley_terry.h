#pragma once
#include <cstddef>
#include <span>
#include <vector>

// The model of Bradley & Terry (1952): player i beats player j with the probability
// 1 / (1 + exp(strength j - strength i)).
namespace assay {

// How often two players won against each other; parts of a win serve, as of a draw or of a
// probability.
struct PlayedPair {
    std::size_t first, second;  // two different players
    double first_wins, second_wins;
};

// Each player also draws this many games with a player of strength 0, so that the strength of who
// never lost stays finite. The more games, the less it counts.
constexpr double bradley_terry_prior = 1;

// The likeliest strengths: natural logarithms of odds, their mean 0. `start` is where the search
// begins, if it is known well; it ends with a step no longer than `last_step`, which leaves about
// its square: by default less than 1e-12.
std::vector<double> bradley_terry(std::size_t players, std::span<const PlayedPair> pairs,
                                  double prior = bradley_terry_prior,
                                  std::vector<double> start = {}, double last_step = 1e-8);

}  // namespace assay
