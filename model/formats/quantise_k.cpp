// The K-quants: blocks of 256 weights whose groups' scales, and in some offsets, are themselves
// whole multiples of the block's f16.
#include "model/formats/quantise_blocks.h"
#include "model/formats/quantise_super.h"

namespace assay::quantising {
namespace {

using Levels = std::array<std::uint8_t, 256>;

template <std::size_t Count, std::size_t N>
Levels levels_of(const std::array<Group<N>, Count>& groups, const Uniform& levels,
                 const ScaledBlock<Count>& block) {
    Levels numbers;
    for (std::size_t g = 0; g < Count; ++g)
        put_levels(groups[g], levels, block.step * block.multiples[g], 0, &numbers[g * N]);
    return numbers;
}

template <std::size_t Count, std::size_t N>
Levels levels_of(const std::array<Group<N>, Count>& groups, const Uniform& levels,
                 const AffineBlock<Count>& block) {
    Levels numbers;
    for (std::size_t g = 0; g < Count; ++g)
        put_levels(groups[g], levels, block.step * block.multiples[g],
                   -block.offset_step * block.offset_multiples[g], &numbers[g * N]);
    return numbers;
}

int whole(float value) { return static_cast<int>(value); }

// Two bits of every level: weights 0, 32, 64 and 96 of each half share a byte.
void put_pairs(const Levels& levels, int shift, Bytes to) {
    for (std::size_t i = 0; i < 64; ++i) {
        const std::uint8_t* first = &levels[i / 32 * 128 + i % 32];
        int byte = 0;
        for (int run = 0; run < 4; ++run) byte |= (first[run * 32] >> shift & 3) << 2 * run;
        to[i] = static_cast<std::uint8_t>(byte);
    }
}

// Four bits of every level: two runs of `run` weights share `run` bytes.
void put_nibbles(const Levels& levels, std::size_t run, Bytes to) {
    for (std::size_t i = 0; i < 128; ++i) {
        const std::uint8_t* first = &levels[i / run * 2 * run + i % run];
        to[i] = static_cast<std::uint8_t>((first[0] & 15) | (first[run] & 15) << 4);
    }
}

// One bit of every level: weights i, i + 32, ... i + 224 share byte i.
void put_bits(const Levels& levels, int shift, Bytes to) {
    for (std::size_t i = 0; i < 32; ++i) {
        int byte = 0;
        for (std::size_t run = 0; run < 8; ++run)
            byte |= (levels[run * 32 + i] >> shift & 1) << run;
        to[i] = static_cast<std::uint8_t>(byte);
    }
}

// Eight scales and eight offsets of six bits in 12 bytes.
void put_scales(const AffineBlock<8>& block, Bytes to) {
    for (std::size_t g = 0; g < 4; ++g) {
        const int scale = whole(block.multiples[g]), late_scale = whole(block.multiples[g + 4]);
        const int offset = whole(block.offset_multiples[g]),
                  late_offset = whole(block.offset_multiples[g + 4]);
        to[g] = static_cast<std::uint8_t>(scale | late_scale >> 4 << 6);
        to[g + 4] = static_cast<std::uint8_t>(offset | late_offset >> 4 << 6);
        to[g + 8] = static_cast<std::uint8_t>((late_scale & 15) | (late_offset & 15) << 4);
    }
}

// How far scales are tried, in shares of what brings the peak to the widest level, and by how
// many levels a range is cut at its ends: finer steps than these gained under 0.5 % of the error.
constexpr std::array reaches_4{1.0f, 0.65f, 0.7f, 0.75f, 0.8f, 0.85f, 0.9f, 0.95f, 1.05f, 1.1f};
constexpr std::array reaches_32{1.0f, 0.95f, 0.965f, 0.98f, 0.99f, 1.01f};
constexpr std::array cuts_3{0.0f, 0.2f, 0.4f, 0.6f};
constexpr std::array cuts_15{0.1f, 0.4f, 0.7f, -0.2f};
constexpr std::array cuts_31{0.1f, 0.4f, 0.7f, -0.2f};

}  // namespace

void q2_k(const float* x, const float* importance, Bytes block) {
    constexpr Uniform levels{0, 3}, multiples{0, 15};
    const auto groups = groups_of<16, 16>(x, importance);
    const auto fitted = fit_affine(groups, levels, cuts_3, multiples);
    for (std::size_t g = 0; g < 16; ++g)
        block[g] = static_cast<std::uint8_t>(whole(fitted.multiples[g]) |
                                             whole(fitted.offset_multiples[g]) << 4);
    put_pairs(levels_of(groups, levels, fitted), 0, block + 16);
    put_half(fitted.step, block + 80);
    put_half(fitted.offset_step, block + 82);
}

void q3_k(const float* x, const float* importance, Bytes block) {
    constexpr Uniform levels{-4, 3}, multiples{-32, 31};
    const auto groups = groups_of<16, 16>(x, importance);
    const auto fitted = fit(groups, levels, reaches_4, multiples);
    const Levels numbers = levels_of(groups, levels, fitted);
    put_bits(numbers, 2, block);
    put_pairs(numbers, 0, block + 32);
    std::fill_n(block + 96, 12, std::uint8_t{0});
    for (std::size_t g = 0; g < 16; ++g) {
        const int scale = whole(fitted.multiples[g]) + 32;
        block[96 + g % 8] |= static_cast<std::uint8_t>((scale & 15) << (g < 8 ? 0 : 4));
        block[104 + g % 4] |= static_cast<std::uint8_t>(scale >> 4 << g / 4 * 2);
    }
    put_half(fitted.step, block + 108);
}

void q4_k(const float* x, const float* importance, Bytes block) {
    constexpr Uniform levels{0, 15}, multiples{0, 63};
    const auto groups = groups_of<8, 32>(x, importance);
    const auto fitted = fit_affine(groups, levels, cuts_15, multiples);
    put_half(fitted.step, block);
    put_half(fitted.offset_step, block + 2);
    put_scales(fitted, block + 4);
    put_nibbles(levels_of(groups, levels, fitted), 32, block + 16);
}

void q5_k(const float* x, const float* importance, Bytes block) {
    constexpr Uniform levels{0, 31}, multiples{0, 63};
    const auto groups = groups_of<8, 32>(x, importance);
    const auto fitted = fit_affine(groups, levels, cuts_31, multiples);
    const Levels numbers = levels_of(groups, levels, fitted);
    put_half(fitted.step, block);
    put_half(fitted.offset_step, block + 2);
    put_scales(fitted, block + 4);
    put_bits(numbers, 4, block + 16);
    put_nibbles(numbers, 32, block + 48);
}

void q6_k(const float* x, const float* importance, Bytes block) {
    constexpr Uniform levels{-32, 31}, multiples{-128, 127};
    const auto groups = groups_of<16, 16>(x, importance);
    const auto fitted = fit(groups, levels, reaches_32, multiples);
    const Levels numbers = levels_of(groups, levels, fitted);
    put_nibbles(numbers, 64, block);
    put_pairs(numbers, 4, block + 128);
    for (std::size_t g = 0; g < 16; ++g)
        block[192 + g] = static_cast<std::uint8_t>(whole(fitted.multiples[g]));
    put_half(fitted.step, block + 208);
}

}  // namespace assay::quantising
