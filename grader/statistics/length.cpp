#include "grader/statistics/length.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "grader/statistics/values.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr double rounding = 1e-12;  // of a likelihood
constexpr int most_steps = 100, most_halvings = 40;
constexpr double smallest_step = 1e-14;  // as a share of the coefficients

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// 0 where the differences are all equal: there is nothing to learn from them.
double standard_deviation(std::span<const double> values) {
    if (is_constant(values)) return 0;
    const double middle = mean(values);
    double sum = 0;
    for (const double value : values) sum += (value - middle) * (value - middle);
    return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

// Whether the likelihood has a maximum: neither do all items that may be won lie on one side of
// those that may be lost, nor are there none of them (Albert & Anderson 1984).
bool has_maximum(std::span<const double> preference, std::span<const double> x) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    struct Range {
        double least = infinity, greatest = -infinity;
        void take(double value) {
            least = std::min(least, value);
            greatest = std::max(greatest, value);
        }
    } won, lost;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (preference[i] > 0) won.take(x[i]);
        if (preference[i] < 1) lost.take(x[i]);
    }
    return won.least < lost.greatest && lost.least < won.greatest;
}

// Gradient and Hessian of the log-likelihood in quality and length.
struct Slope {
    double quality = 0, length = 0;
    double qq = 0, ql = 0, ll = 0;
};

Slope slope_at(const LengthControlled& fit, std::span<const double> preference,
               std::span<const double> x) {
    Slope slope;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double p = logistic(fit.quality + fit.length * x[i]);
        const double error = preference[i] - p, weight = p * (1 - p);
        slope.quality += error;
        slope.length += error * x[i];
        slope.qq += weight;
        slope.ql += weight * x[i];
        slope.ll += weight * x[i] * x[i];
    }
    return slope;
}

double log_likelihood(const LengthControlled& fit, std::span<const double> preference,
                      std::span<const double> x) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double z = fit.quality + fit.length * x[i];
        sum += preference[i] * z - std::max(z, 0.0) - std::log1p(std::exp(-std::fabs(z)));
    }
    return sum;
}

}  // namespace

std::optional<LengthControlled> length_controlled_win_rate(
    std::span<const double> preference, std::span<const double> length_difference) {
    require_pairs(preference, length_difference);
    for (const double p : preference)
        if (p < 0 || p > 1)
            throw Error("preference: " + std::to_string(p) + " found, 0 to 1 expected");
    const double deviation = standard_deviation(length_difference);
    if (deviation == 0) return std::nullopt;
    std::vector<double> x;
    for (const double difference : length_difference)
        x.push_back(std::tanh(difference / deviation));
    if (!has_maximum(preference, x)) return std::nullopt;

    LengthControlled fit{.win_rate = 0.5, .quality = 0, .length = 0};
    double likelihood = log_likelihood(fit, preference, x);
    for (int step = 0; step < most_steps; ++step) {
        const Slope slope = slope_at(fit, preference, x);
        const double determinant = slope.qq * slope.ll - slope.ql * slope.ql;
        double quality = (slope.quality * slope.ll - slope.length * slope.ql) / determinant,
               length = (slope.length * slope.qq - slope.quality * slope.ql) / determinant;
        if (!std::isfinite(quality) || !std::isfinite(length)) return std::nullopt;
        const LengthControlled before = fit;
        const double likelihood_before = likelihood;
        // A step may leap past the maximum.
        for (int halved = 0; halved < most_halvings; ++halved, quality /= 2, length /= 2) {
            fit.quality = before.quality + quality;
            fit.length = before.length + length;
            likelihood = log_likelihood(fit, preference, x);
            if (likelihood >= likelihood_before - rounding * std::fabs(likelihood_before)) break;
        }
        const double size = std::fabs(fit.quality) + std::fabs(fit.length);
        if (std::fabs(quality) + std::fabs(length) <= smallest_step * (1 + size)) break;
    }
    fit.win_rate = logistic(fit.quality);
    return fit;
}

}  // namespace assay
