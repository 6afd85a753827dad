#include "grader/statistics/agreement.h"

#include <algorithm>
#include <cmath>

#include "grader/statistics/values.h"

namespace assay {
namespace {

double disagreement(double a, double b, KappaWeights weights) {
    switch (weights) {
        case KappaWeights::equal:
            return a != b;
        case KappaWeights::linear:
            return std::fabs(a - b);
        case KappaWeights::quadratic:
            return (a - b) * (a - b);
    }
    return 0;
}

std::vector<double> sorted(Ratings ratings) {
    std::vector<double> all(ratings.begin(), ratings.end());
    std::ranges::sort(all);
    return all;
}

// How many pairs of a rating of each are equal.
double equal_pairs(Ratings a, Ratings b) {
    const std::vector<double> sorted_a = sorted(a), sorted_b = sorted(b);
    double pairs = 0;
    for (auto from = sorted_a.begin(); from != sorted_a.end();) {
        const auto to = std::upper_bound(from, sorted_a.end(), *from);
        const auto same = std::ranges::equal_range(sorted_b, *from);
        pairs += static_cast<double>(to - from) * static_cast<double>(same.size());
        from = to;
    }
    return pairs;
}

// Over all pairs of a rating of each, the sum of their distances.
double distances(Ratings a, Ratings b) {
    const std::vector<double> sorted_a = sorted(a);
    std::vector<double> sums{0};  // of as many of the smallest
    for (const double rating : sorted_a) sums.push_back(sums.back() + rating);
    double sum = 0;
    for (const double rating : b) {
        const auto below =
            static_cast<std::size_t>(std::ranges::upper_bound(sorted_a, rating) - sorted_a.begin());
        const auto above = sorted_a.size() - below;
        sum += rating * static_cast<double>(below) - sums[below];
        sum += sums.back() - sums[below] - rating * static_cast<double>(above);
    }
    return sum;
}

// The same of their squares: about the mean of `a`, so that no digits are lost.
double squared_distances(Ratings a, Ratings b) {
    const double middle = mean(a);
    double sum_a = 0, sum_b = 0, squares = 0;
    for (const double rating : a) sum_a += rating - middle;
    for (const double rating : b) sum_b += rating - middle;
    for (const Ratings ratings : {a, b})
        for (const double rating : ratings) squares += (rating - middle) * (rating - middle);
    return static_cast<double>(a.size()) * squares - 2 * sum_a * sum_b;
}

// The disagreement of all ratings of the one with all of the other.
double disagreement_by_chance(Ratings a, Ratings b, KappaWeights weights) {
    switch (weights) {
        case KappaWeights::equal:
            return static_cast<double>(a.size()) * static_cast<double>(b.size()) -
                   equal_pairs(a, b);
        case KappaWeights::linear:
            return distances(a, b);
        case KappaWeights::quadratic:
            return squared_distances(a, b);
    }
    return 0;
}

// Of two ratings, given how often each was given, by their places in the order.
double squared_difference(const std::vector<double>& ratings, const std::vector<double>& counts,
                          std::size_t i, std::size_t j, Level level) {
    if (level == Level::nominal) return i != j;
    double difference = ratings[j] - ratings[i];
    if (level == Level::ordinal) {
        difference = -(counts[i] + counts[j]) / 2;
        for (std::size_t k = i; k <= j; ++k) difference += counts[k];
    }
    return difference * difference;
}

}  // namespace

std::optional<double> accuracy(Ratings a, Ratings b) {
    require_pairs(a, b);
    if (a.empty()) return std::nullopt;
    double equal = 0;
    for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
    return equal / static_cast<double>(a.size());
}

std::optional<double> mean_absolute_error(Ratings a, Ratings b) {
    require_pairs(a, b);
    if (a.empty()) return std::nullopt;
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += std::fabs(a[i] - b[i]);
    return sum / static_cast<double>(a.size());
}

std::optional<double> weighted_kappa(Ratings a, Ratings b, KappaWeights weights) {
    require_pairs(a, b);
    const bool always_equal = is_constant(a) && is_constant(b) && (a.empty() || a[0] == b[0]);
    if (always_equal) return std::nullopt;
    double observed = 0;
    for (std::size_t i = 0; i < a.size(); ++i) observed += disagreement(a[i], b[i], weights);
    return 1 - observed * static_cast<double>(a.size()) / disagreement_by_chance(a, b, weights);
}

std::optional<double> cohen_kappa(Ratings a, Ratings b) {
    return weighted_kappa(a, b, KappaWeights::equal);
}

std::optional<double> krippendorff_alpha(std::span<const std::vector<double>> units, Level level) {
    std::vector<double> all;
    for (const std::vector<double>& unit : units)
        if (unit.size() >= 2) all.insert(all.end(), unit.begin(), unit.end());
    require_finite(all);
    const std::vector<double> ratings = distinct(all);
    const std::size_t k = ratings.size();
    const auto place = [&](double rating) {
        return static_cast<std::size_t>(std::ranges::lower_bound(ratings, rating) -
                                        ratings.begin());
    };
    std::vector<double> counts(k), coincidences(k * k);
    for (const double rating : all) ++counts[place(rating)];
    for (const std::vector<double>& unit : units)
        for (std::size_t i = 0; i < unit.size(); ++i)
            for (std::size_t j = 0; j < i; ++j) {
                const auto [low, high] = std::minmax({place(unit[i]), place(unit[j])});
                coincidences[low * k + high] += 1 / static_cast<double>(unit.size() - 1);
            }
    double observed = 0, by_chance = 0;
    for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = i + 1; j < k; ++j) {
            const double difference = squared_difference(ratings, counts, i, j, level);
            observed += coincidences[i * k + j] * difference;
            by_chance += counts[i] * counts[j] * difference;
        }
    if (by_chance == 0) return std::nullopt;
    return 1 - static_cast<double>(all.size() - 1) * observed / by_chance;
}

Confusion confusion(Ratings a, Ratings b) {
    require_pairs(a, b);
    std::vector<double> all(a.begin(), a.end());
    all.insert(all.end(), b.begin(), b.end());
    Confusion table{.ratings = distinct(all), .counts = {}};
    table.counts.resize(table.ratings.size() * table.ratings.size());
    const auto place = [&](double rating) {
        return static_cast<std::size_t>(std::ranges::lower_bound(table.ratings, rating) -
                                        table.ratings.begin());
    };
    for (std::size_t i = 0; i < a.size(); ++i) ++table.at(place(a[i]), place(b[i]));
    return table;
}

}  // namespace assay
