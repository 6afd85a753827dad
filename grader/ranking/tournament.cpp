#include "grader/ranking/tournament.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <numeric>

#include "model/engine/random.h"
#include "runtime/hash.h"

namespace assay {
namespace {

std::uint32_t random_word(std::uint64_t seed, std::string_view name, std::uint32_t a,
                          std::uint32_t b) {
    const std::uint64_t key = fnv1a(name);
    return philox({static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32), a, b},
                  {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)})[0];
}

}  // namespace

Tournament::Tournament(std::size_t contestants, const TournamentOptions& options,
                       std::string_view name)
    : options_(options), drawn_(contestants) {
    if (options_.schedule == Schedule::round_robin) options_.rounds = 1;
    if (options_.rounds == 0) options_.rounds = swiss_rounds(contestants);
    std::iota(drawn_.begin(), drawn_.end(), std::size_t{0});
    std::ranges::sort(drawn_, {}, [&](std::size_t contestant) {
        const auto index = static_cast<std::uint32_t>(contestant);
        return std::pair(random_word(options.seed, name, index, index), contestant);
    });
}

std::vector<Match> Tournament::next_round() {
    if (missing_ > 0 || rounds_ == options_.rounds) return {};
    ++rounds_;
    const std::vector<Match> matches = options_.schedule == Schedule::round_robin
                                           ? round_robin(drawn_.size())
                                           : swiss_round(ranked(), met_, rested_);
    met_.insert(matches.begin(), matches.end());
    missing_ = matches.size();
    rest(matches);
    return matches;
}

void Tournament::rest(const std::vector<Match>& matches) {
    std::set<std::size_t> out(drawn_.begin(), drawn_.end());
    for (const Match& match : matches) {
        out.erase(match.first);
        out.erase(match.second);
    }
    rested_.merge(out);
}

void Tournament::put(Match match, std::optional<double> share) {
    assert(missing_ > 0 && met_.contains(match));
    --missing_;
    if (share)
        games_.push_back({match, *share});
    else
        ++unjudged_;
}

// Best first by the mean share of wins, which no sitting out changes; of equals as drawn.
std::vector<std::size_t> Tournament::ranked() const {
    std::vector<double> wins(drawn_.size()), played(drawn_.size());
    for (const auto& [match, share] : games_) {
        wins[match.first] += share;
        wins[match.second] += 1 - share;
        ++played[match.first];
        ++played[match.second];
    }
    std::vector<std::size_t> order = drawn_;
    std::ranges::stable_sort(order, std::greater(), [&](std::size_t contestant) {
        return played[contestant] > 0 ? wins[contestant] / played[contestant] : 0.5;
    });
    return order;
}

bool exchanged(Match match, std::uint64_t seed, std::string_view name) {
    return random_word(seed, name, static_cast<std::uint32_t>(match.first),
                       static_cast<std::uint32_t>(match.second)) %
               2 ==
           1;
}

}  // namespace assay
