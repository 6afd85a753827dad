#pragma once
#include <array>
#include <cstdint>

namespace assay {

// Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011): random words from a counter and a key, so that
// a number depends on what it is for and not on what was drawn before.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                              std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0],
                            b = std::uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0],
                   static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1],
                   static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return counter;
}

// What a random number is drawn for. The same four give the same number in any batch, order or
// resumed run.
struct Draw {
    std::uint64_t seed = 0;
    std::uint64_t item = 0;      // a hash of the item's prompt
    std::uint32_t sample = 0;    // of the samples of one item
    std::uint32_t position = 0;  // of the token in its sequence
};

// Uniform in [0, 1), a multiple of 2^-24.
constexpr float uniform(const Draw& draw) {
    const auto words = philox(
        {static_cast<std::uint32_t>(draw.item), static_cast<std::uint32_t>(draw.item >> 32),
         draw.sample, draw.position},
        {static_cast<std::uint32_t>(draw.seed), static_cast<std::uint32_t>(draw.seed >> 32)});
    return static_cast<float>(words[0] >> 8) * 0x1p-24f;
}

}  // namespace assay
