#include "grader/statistics/bradley_terry.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>

namespace assay {
namespace {

double chance(double strength, double other) { return 1 / (1 + std::exp(other - strength)); }

// The log likelihood's gradient, and the negative of its second derivatives: a matrix (players,
// players) that has, beside its diagonal, an entry for each pair alone.
struct Slope {
    struct Entry {
        std::uint32_t first, second;  // row and column, and the other way round
        double value;
    };

    std::vector<double> gradient;
    std::vector<double> diagonal;
    std::vector<Entry> beside;

    // y = curvature x
    void multiply(std::span<const double> x, std::span<double> y) const {
        for (std::size_t i = 0; i < x.size(); ++i) y[i] = diagonal[i] * x[i];
        for (const auto& [first, second, value] : beside) {
            y[first] += value * x[second];
            y[second] += value * x[first];
        }
    }
};

Slope slope_at(std::span<const double> strengths, std::span<const PlayedPair> pairs, double prior) {
    Slope slope;
    slope.beside.reserve(pairs.size());
    for (const double strength : strengths) {
        const double p = chance(strength, 0);
        slope.gradient.push_back(prior * (0.5 - p));
        slope.diagonal.push_back(prior * p * (1 - p));
    }
    for (const auto& [i, j, wins_i, wins_j] : pairs) {
        const double games = wins_i + wins_j, p = chance(strengths[i], strengths[j]);
        const double surprise = wins_i - games * p, curvature = games * p * (1 - p);
        slope.gradient[i] += surprise;
        slope.gradient[j] -= surprise;
        slope.diagonal[i] += curvature;
        slope.diagonal[j] += curvature;
        slope.beside.push_back(
            {static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(j), -curvature});
    }
    return slope;
}

double dot(std::span<const double> x, std::span<const double> y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

// Solves curvature x = gradient by conjugate gradients (Hestenes & Stiefel 1952), the diagonal as
// preconditioner, until `tolerance` of the gradient is left. A step costs as much as there are
// pairs, and many players who met many others need few.
std::vector<double> newton_step(const Slope& slope, double tolerance) {
    const std::size_t n = slope.gradient.size();
    std::vector<double> x(n), rest = slope.gradient, scaled(n), direction(n), image(n);
    const auto scale_rest = [&] {
        std::ranges::transform(rest, slope.diagonal, scaled.begin(), std::divides());
        return dot(rest, scaled);
    };
    double left = scale_rest();
    const double enough = left * tolerance * tolerance;
    direction = scaled;
    for (std::size_t step = 0; step < 2 * n + 10 && left > enough; ++step) {
        slope.multiply(direction, image);
        const double length = left / dot(direction, image);
        for (std::size_t i = 0; i < n; ++i) {
            x[i] += length * direction[i];
            rest[i] -= length * image[i];
        }
        const double before = std::exchange(left, scale_rest());
        for (std::size_t i = 0; i < n; ++i)
            direction[i] = scaled[i] + left / before * direction[i];
    }
    return x;
}

double greatest(std::span<const double> values) {
    double most = 0;
    for (const double value : values) most = std::max(most, std::abs(value));
    return most;
}

}  // namespace

std::vector<double> bradley_terry(std::size_t players, std::span<const PlayedPair> pairs,
                                  double prior, std::vector<double> start,
                                  double last_step) {
    assert(prior > 0 && (start.empty() || start.size() == players));
    constexpr int most_steps = 200;
    std::vector<double> strengths = std::move(start);
    strengths.resize(players);
    double size = 1;
    for (int i = 0; i < most_steps && size > last_step; ++i) {
        // A step leaves about its square, and so much of it need not be known.
        const std::vector<double> step = newton_step(slope_at(strengths, pairs, prior),
                                                     std::clamp(size * size, 1e-8, 1e-2));
        size = greatest(step);
        // Whole steps may lead away where strengths are far off; ones this long never do, since the
        // curvature changes by no more than exp(2 size) along the way.
        const double part = size > 0 ? std::log1p(2 * size) / (2 * size) : 1;
        for (std::size_t player = 0; player < players; ++player)
            strengths[player] += part * step[player];
    }
    const double mean = std::accumulate(strengths.begin(), strengths.end(), 0.0) /
                        static_cast<double>(std::max<std::size_t>(players, 1));
    for (double& strength : strengths) strength -= mean;
    return strengths;
}

}  // namespace assay
