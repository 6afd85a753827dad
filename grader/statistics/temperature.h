#pragma once
#include <span>
#include <vector>

// Probabilities made surer or less sure without changing their order (Guo et al. 2017).
namespace assay {

using Distribution = std::vector<double>;

// p^(1/temperature), scaled to sum to 1. A probability of 0 counts as 1e-12.
Distribution at_temperature(std::span<const double> probabilities, double temperature);

// The mean of -sum(target * log(p)), in nats: of a target that is one outcome, -log of its p.
double cross_entropy(std::span<const Distribution> probabilities,
                     std::span<const Distribution> targets);

constexpr double least_temperature = 0.01, greatest_temperature = 100;

// Whether a fitted temperature is one of these bounds: one beyond would fit better.
constexpr bool at_limit(double temperature) {
    return temperature < 1.001 * least_temperature || temperature > 0.999 * greatest_temperature;
}

// The temperature with the least cross-entropy within these bounds: of one distribution at least,
// each with a target that sums to 1. Throws an Error if their numbers differ.
double fit_temperature(std::span<const Distribution> probabilities,
                       std::span<const Distribution> targets);

}  // namespace assay
