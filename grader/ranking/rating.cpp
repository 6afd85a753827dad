#include "grader/ranking/rating.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "grader/statistics/bradley_terry.h"

namespace assay {
namespace {

// Games in groups, put together by who played.
class GroupedGames {
public:
    explicit GroupedGames(std::span<const std::vector<Game>> groups) {
        std::map<Match, std::size_t> known;
        for (const auto& group : groups) {
            groups_.emplace_back();
            for (const auto& [match, share] : group) {
                const bool exchanged = match.second < match.first;
                const Match pair = exchanged ? Match{match.second, match.first} : match;
                const auto [found, is_new] = known.try_emplace(pair, pairs_.size());
                if (is_new) pairs_.push_back({pair.first, pair.second, 0, 0});
                groups_.back().push_back({found->second, exchanged ? 1 - share : share});
            }
        }
    }

    // Of the groups drawn, each as often as it is there.
    std::vector<PlayedPair> drawn(std::span<const std::size_t> groups) const {
        std::vector<PlayedPair> pairs = pairs_;
        for (const std::size_t group : groups)
            for (const auto& [pair, share] : groups_[group]) {
                pairs[pair].first_wins += share;
                pairs[pair].second_wins += 1 - share;
            }
        return pairs;
    }

private:
    struct Played {
        std::size_t pair;
        double share;  // of the win that its first player has
    };

    std::vector<PlayedPair> pairs_;  // without a win
    std::vector<std::vector<Played>> groups_;
};

}  // namespace

std::vector<Rating> rate(std::size_t contestants, std::span<const std::vector<Game>> groups,
                         std::uint64_t seed) {
    const GroupedGames games(groups);
    std::vector<std::size_t> all(groups.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    const std::vector<double> strengths = bradley_terry(contestants, games.drawn(all));
    std::vector<Rating> ratings(contestants);
    for (std::size_t i = 0; i < contestants; ++i) ratings[i].strength = strengths[i];
    for (const auto& group : groups)
        for (const auto& [match, share] : group) {
            ratings[match.first].wins += share;
            ratings[match.second].wins += 1 - share;
            ++ratings[match.first].games;
            ++ratings[match.second].games;
        }
    if (groups.size() < 2) return ratings;
    const auto strengths_of = [&](std::span<const std::size_t> drawn) {
        constexpr double last_step = 1e-3;  // strengths to 1e-6
        const auto found = bradley_terry(contestants, games.drawn(drawn), bradley_terry_prior,
                                         strengths, last_step);
        return std::vector<std::optional<double>>(found.begin(), found.end());
    };
    const auto intervals =
        bootstrap_all(groups.size(), strengths_of, {.resamples = rating_resamples, .seed = seed});
    for (std::size_t i = 0; i < contestants; ++i) ratings[i].interval = intervals[i];
    return ratings;
}

std::vector<std::size_t> best_first(std::span<const Rating> ratings) {
    std::vector<std::size_t> order(ratings.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater(),
                             [&](std::size_t i) { return ratings[i].strength; });
    return order;
}

Triples count_triples(std::size_t contestants, std::span<const Game> games) {
    // 1: the row beat the column, -1: the other way round.
    std::vector<int> beat(contestants * contestants);
    const auto at = [&](std::size_t row, std::size_t column) -> int& {
        return beat[row * contestants + column];
    };
    for (const auto& [match, share] : games) {
        at(match.first, match.second) = share > 0.5 ? 1 : share < 0.5 ? -1 : 0;
        at(match.second, match.first) = -at(match.first, match.second);
    }
    Triples triples;
    for (std::size_t i = 0; i < contestants; ++i)
        for (std::size_t j = i + 1; j < contestants; ++j)
            for (std::size_t k = j + 1; at(i, j) != 0 && k < contestants; ++k) {
                if (at(j, k) == 0 || at(k, i) == 0) continue;
                ++triples.all;
                triples.circular += at(i, j) == at(j, k) && at(j, k) == at(k, i);
            }
    return triples;
}

}  // namespace assay
