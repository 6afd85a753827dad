#include "model/merge/masks.h"

#include <algorithm>
#include <cmath>

#include "model/engine/random.h"
#include "runtime/hash.h"

namespace assay {
namespace {

constexpr std::uint32_t lanes = 32;  // Philox counters that are worked on side by side

// The words of `lanes` counters one after another: word 0 of all, then word 1 ...
void philox_lanes(std::uint32_t first, const std::array<std::uint32_t, 3>& rest,
                  std::array<std::uint32_t, 2> key, std::array<std::uint32_t, 4 * lanes>& words) {
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
        const auto four = philox({first + lane, rest[0], rest[1], rest[2]}, key);
        for (std::uint32_t i = 0; i < 4; ++i) words[i * lanes + lane] = four[i];
    }
}

// numpy's random_sample: 53 bits of two words.
double uniform(std::mt19937& generator) {
    const std::uint64_t high = generator() >> 5, low = generator() >> 6;
    return static_cast<double>(high * 67108864 + low) / 9007199254740992.0;
}

}  // namespace

void CounterMasks::prepare(const std::string& tensor, std::uint64_t) { tensor_ = fnv1a(tensor); }

void CounterMasks::draw(std::size_t model, double keep, std::uint64_t begin,
                        std::span<float> mask) const {
    const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
    const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
    // Of the 2^32 words those below are kept.
    const auto kept = static_cast<std::uint64_t>(std::ldexp(std::clamp(keep, 0.0, 1.0), 32));
    const std::array<std::uint32_t, 3> rest{low(model), low(tensor_), high(tensor_)};
    std::array<std::uint32_t, 4 * lanes> words;
    for (std::uint64_t at = begin; at < begin + mask.size();) {
        const std::uint64_t group = at / words.size(), first = at % words.size(),
                            count = std::min(words.size() - first, begin + mask.size() - at);
        philox_lanes(low(group * lanes), rest, {low(seed_), high(seed_)}, words);
        for (std::uint64_t i = 0; i < count; ++i)
            mask[at - begin + i] = words[first + i] < kept ? 1.0f : 0.0f;
        at += count;
    }
}

NumpyMasks::NumpyMasks(std::uint32_t seed, std::vector<Draws> order)
    : seed_(seed), order_(std::move(order)) {
    std::size_t models = 0;
    for (const Draws& draws : order_) models = std::max(models, draws.model + 1);
    streams_.resize(models, {std::mt19937(seed), 0});
    masks_.resize(models);
}

void NumpyMasks::seek(Stream& stream, std::uint64_t element) const {
    if (element < stream.drawn) stream = {std::mt19937(seed_), 0};
    stream.generator.discard(2 * (element - stream.drawn));  // words of a uniform number
    stream.drawn = element;
}

void NumpyMasks::prepare(const std::string& tensor, std::uint64_t) {
    for (auto& mask : masks_) mask.clear();
    std::uint64_t before = 0;
    for (const Draws& draws : order_) {
        if (draws.tensor == tensor) {
            Stream& stream = streams_[draws.model];
            seek(stream, before);
            // numpy draws a binomial number by inversion, of p or of 1 - p if that is less.
            const bool inverted = draws.keep > 0.5;
            const double bound = std::exp(std::log(inverted ? draws.keep : 1 - draws.keep));
            auto& mask = masks_[draws.model];
            mask.resize(draws.elements);
            for (std::uint8_t& kept : mask) kept = (uniform(stream.generator) > bound) != inverted;
            stream.drawn += draws.elements;
        }
        before += draws.elements;
    }
}

void NumpyMasks::draw(std::size_t model, double, std::uint64_t begin, std::span<float> mask) const {
    const auto from = masks_[model].begin() + static_cast<std::ptrdiff_t>(begin);
    std::copy_n(from, mask.size(), mask.begin());
}

}  // namespace assay
