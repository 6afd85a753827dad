#include "grader/statistics/correlation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>

#include "grader/statistics/values.h"

namespace assay {
namespace {

// Less their mean, and times the power of 2 that makes the greatest about 1, so that squares
// neither overflow nor vanish. No digit is lost by that.
std::vector<double> centred(Values values) {
    const double middle = mean(values);
    std::vector<double> differences;
    double greatest = 0;
    for (const double value : values) {
        differences.push_back(value - middle);
        greatest = std::max(greatest, std::fabs(differences.back()));
    }
    const int exponent = greatest > 0 ? std::ilogb(greatest) : 0;
    for (double& difference : differences) difference = std::scalbn(difference, -exponent);
    return differences;
}

// Of columns that are known to be of one length and to vary.
double pearson_of(Values x, Values y) {
    const std::vector<double> from_mean_x = centred(x), from_mean_y = centred(y);
    double xx = 0, yy = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double dx = from_mean_x[i], dy = from_mean_y[i];
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

// The place of each value among the distinct ones, from 0: all that an order is about.
struct Order {
    explicit Order(Values values) : places(values.size()) {
        const std::vector<double> sorted = distinct(values);
        counts.resize(sorted.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto found = std::ranges::lower_bound(sorted, values[i]);
            places[i] = static_cast<std::uint32_t>(found - sorted.begin());
            ++counts[places[i]];
        }
    }

    std::vector<double> ranks() const {
        std::vector<double> of_place(counts.size()), all(places.size());
        double before = 0;
        for (std::size_t place = 0; place < counts.size(); ++place) {
            const auto ties = static_cast<double>(counts[place]);
            of_place[place] = before + (ties + 1) / 2;
            before += ties;
        }
        std::ranges::transform(places, all.begin(), [&](auto place) { return of_place[place]; });
        return all;
    }

    std::int64_t tied_pairs() const {
        std::int64_t sum = 0;
        for (const std::int64_t ties : counts) sum += ties * (ties - 1) / 2;
        return sum;
    }

    std::vector<std::uint32_t> places;
    std::vector<std::int64_t> counts;  // of the values at each place
};

// Sorts and returns how many pairs were in the wrong order.
std::int64_t sort_counting(std::span<std::uint32_t> values, std::span<std::uint32_t> scratch) {
    if (values.size() < 2) return 0;
    const std::size_t half = values.size() / 2;
    std::int64_t inversions = sort_counting(values.first(half), scratch.first(half)) +
                              sort_counting(values.subspan(half), scratch.subspan(half));
    std::size_t left = 0, right = half;
    for (std::uint32_t& next : scratch) {
        const bool from_left =
            right == values.size() || (left < half && values[left] <= values[right]);
        if (!from_left) inversions += static_cast<std::int64_t>(half - left);
        next = values[from_left ? left++ : right++];
    }
    std::ranges::copy(scratch, values.begin());
    return inversions;
}

// Pairs of items that both columns order.
struct PairCounts {
    PairCounts(const Order& x, const Order& y) {
        const std::size_t n = x.places.size();
        std::vector<std::uint64_t> both(n);
        for (std::size_t i = 0; i < n; ++i)
            both[i] = std::uint64_t{x.places[i]} << 32 | y.places[i];
        std::ranges::sort(both);
        std::int64_t tied_in_both = 0, ties = 0;
        for (std::size_t i = 1; i < n; ++i) {
            ties = both[i] == both[i - 1] ? ties + 1 : 0;
            tied_in_both += ties;
        }
        std::vector<std::uint32_t> y_by_x(n), scratch(n);
        std::ranges::transform(both, y_by_x.begin(),
                               [](auto pair) { return static_cast<std::uint32_t>(pair); });
        const std::int64_t discordant = sort_counting(y_by_x, scratch);
        const auto items = static_cast<std::int64_t>(n);
        all = items * (items - 1) / 2;
        tied_x = x.tied_pairs();
        tied_y = y.tied_pairs();
        balance = all - tied_x - tied_y + tied_in_both - 2 * discordant;
    }

    std::int64_t all, tied_x, tied_y;
    std::int64_t balance;  // concordant less discordant ones
};

double tau_b(const PairCounts& pairs) {
    const double tau = static_cast<double>(pairs.balance) /
                       std::sqrt(static_cast<double>(pairs.all - pairs.tied_x)) /
                       std::sqrt(static_cast<double>(pairs.all - pairs.tied_y));
    return std::clamp(tau, -1.0, 1.0);
}

double tau_c(const PairCounts& pairs, const Order& x, const Order& y) {
    const auto n = static_cast<double>(x.places.size());
    const auto categories = static_cast<double>(std::min(x.counts.size(), y.counts.size()));
    const double tau =
        2 * static_cast<double>(pairs.balance) / (n * n * (categories - 1) / categories);
    return std::clamp(tau, -1.0, 1.0);
}

bool are_defined(Values x, Values y) {
    require_pairs(x, y);
    return x.size() >= 2 && !is_constant(x) && !is_constant(y);
}

}  // namespace

std::optional<double> pearson(Values x, Values y) {
    if (!are_defined(x, y)) return std::nullopt;
    return pearson_of(x, y);
}

std::optional<double> spearman(Values x, Values y) {
    if (!are_defined(x, y)) return std::nullopt;
    return pearson_of(ranks(x), ranks(y));
}

std::optional<double> kendall_tau_b(Values x, Values y) {
    if (!are_defined(x, y)) return std::nullopt;
    return tau_b({Order(x), Order(y)});
}

std::optional<double> kendall_tau_c(Values x, Values y) {
    if (!are_defined(x, y)) return std::nullopt;
    const Order order_x(x), order_y(y);
    return tau_c({order_x, order_y}, order_x, order_y);
}

Correlations correlations(Values x, Values y) {
    if (!are_defined(x, y)) return {};
    const Order order_x(x), order_y(y);
    const PairCounts pairs(order_x, order_y);
    return {.pearson = pearson_of(x, y),
            .spearman = pearson_of(order_x.ranks(), order_y.ranks()),
            .kendall_tau_b = tau_b(pairs),
            .kendall_tau_c = tau_c(pairs, order_x, order_y)};
}

std::vector<double> ranks(Values values) {
    require_finite(values);
    return Order(values).ranks();
}

}  // namespace assay
