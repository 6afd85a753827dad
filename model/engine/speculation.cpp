#include "model/engine/speculation.h"

#include <algorithm>

namespace assay {
namespace {

constexpr std::size_t longest_match = 4, shortest_match = 2;  // tokens
constexpr std::size_t first_steps = 4;                        // of each kind
constexpr std::size_t retry_every = 32;                       // steps

}  // namespace

std::vector<TokenId> guess_next(std::span<const TokenId> text, std::size_t most) {
    for (std::size_t length = longest_match; length >= shortest_match; --length) {
        if (text.size() <= length) continue;
        const auto last = text.last(length);
        const auto before = text.first(text.size() - 1);
        const auto found = std::ranges::find_end(before, last);
        if (found.empty()) continue;
        return {found.end(),
                found.end() + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(most),
                                                       text.end() - found.end())};
    }
    return {};
}

bool GuessingRate::pays() {
    ++asked_;
    for (const bool guess : {true, false})
        if (kinds_[guess].steps < first_steps) return guess;
    const bool faster = kinds_[true].rate() > kinds_[false].rate();
    return asked_ % retry_every == 0 ? !faster : faster;
}

void GuessingRate::add(bool guessed, double seconds, std::size_t tokens) {
    constexpr double kept = 0.9;
    Kind& kind = kinds_[guessed];
    ++kind.steps;
    kind.seconds = kept * kind.seconds + seconds;
    kind.tokens = kept * kind.tokens + static_cast<double>(tokens);
}

}  // namespace assay
