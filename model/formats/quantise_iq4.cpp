// IQ4_NL and IQ4_XS: four bits that choose among 16 unevenly spaced levels.
#include "model/formats/quantise_blocks.h"
#include "model/formats/quantise_super.h"

namespace assay::quantising {
namespace {

// Of ggml's format definition.
constexpr std::array<float, 16> uneven{-127, -104, -83, -65, -49, -35, -22, -10,
                                       1,    13,   25,  38,  53,  69,  89,  113};

struct Uneven {
    static constexpr float least = uneven.front();

    Float4 operator()(const Float4& v) const {
        Float4 level = all(uneven[0]);
        for (std::size_t i = 1; i < uneven.size(); ++i)
            level = v > (uneven[i - 1] + uneven[i]) / 2 ? all(uneven[i]) : level;
        return level;
    }
    Float4 numbers(const Float4& v) const {
        Float4 number{};
        for (std::size_t i = 1; i < uneven.size(); ++i)
            number = v > (uneven[i - 1] + uneven[i]) / 2 ? all(static_cast<float>(i)) : number;
        return number;
    }
};

constexpr Uneven levels;
constexpr std::array reaches{1.0f, 0.7f, 0.75f, 0.8f, 0.85f, 0.9f, 0.95f, 1.05f};

void put_nibbles(const std::uint8_t* numbers, Bytes to) {  // of 32 weights
    for (std::size_t i = 0; i < 16; ++i)
        to[i] = static_cast<std::uint8_t>(numbers[i] | numbers[i + 16] << 4);
}

}  // namespace

void iq4_nl(const float* x, const float* importance, Bytes block) {
    const Group<32> group(x, importance);
    const float scale = best_half_scale(group, levels, reaches);
    std::array<std::uint8_t, 32> numbers;
    put_levels(group, levels, scale, 0, numbers.data());
    put_half(scale, block);
    put_nibbles(numbers.data(), block + 2);
}

// f16 scale; 8 multiples of six bits, the high pairs in a 16-bit word, the low nibbles after it.
void iq4_xs(const float* x, const float* importance, Bytes block) {
    constexpr Uniform multiples{-32, 31};
    const auto groups = groups_of<8, 32>(x, importance);
    const auto fitted = fit(groups, levels, reaches, multiples);
    put_half(fitted.step, block);
    std::fill_n(block + 2, 6, std::uint8_t{0});
    for (std::size_t g = 0; g < 8; ++g) {
        const int multiple = static_cast<int>(fitted.multiples[g]) + 32;
        block[2 + g / 4] |= static_cast<std::uint8_t>(multiple >> 4 << g % 4 * 2);
        block[4 + g / 2] |= static_cast<std::uint8_t>((multiple & 15) << g % 2 * 4);
        std::array<std::uint8_t, 32> numbers;
        put_levels(groups[g], levels, fitted.step * fitted.multiples[g], 0, numbers.data());
        put_nibbles(numbers.data(), block + 8 + 16 * g);
    }
}

}  // namespace assay::quantising
