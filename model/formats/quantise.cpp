#include "model/formats/quantise.h"

#include <bit>
#include <cassert>
#include <cstring>
#include <numeric>
#include <vector>

#include "model/formats/quantise_blocks.h"
#include "model/formats/quantise_search.h"

namespace assay {
namespace quantising {
namespace {

void f32(const float* x, const float*, Bytes block) { std::memcpy(block, x, sizeof *x); }

void f16(const float* x, const float*, Bytes block) {
    const std::uint16_t bits = float_to_half(*x);
    std::memcpy(block, &bits, sizeof bits);
}

void bf16(const float* x, const float*, Bytes block) {  // to the nearest, ties to even
    const auto bits = std::bit_cast<std::uint32_t>(*x);
    const auto high = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    std::memcpy(block, &high, sizeof high);
}

// Scales that are tried, in shares of the one that brings the peak to the widest level.
constexpr std::array reaches_16{1.0f, 0.75f, 0.8f, 0.85f, 0.9f, 0.94f, 0.97f, 1.03f};
constexpr std::array reaches_32{1.0f, 0.85f, 0.9f, 0.92f, 0.94f, 0.96f, 0.98f, 1.02f};
constexpr std::array reaches_256{1.0f, 127 / 128.0f};
// And by how many levels a range is cut at its ends.
constexpr std::array cuts{0.0f, -0.2f, 0.2f, 0.4f, 0.6f};

constexpr float no_limit = std::numeric_limits<float>::max();

void put_nibbles(const std::array<std::uint8_t, 32>& levels, Bytes to) {
    for (std::size_t i = 0; i < 16; ++i)
        to[i] = static_cast<std::uint8_t>((levels[i] & 15) | (levels[i + 16] & 15) << 4);
}

void put_high_bits(const std::array<std::uint8_t, 32>& levels, Bytes to) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 32; ++i) bits |= std::uint32_t{levels[i]} >> 4 << i;
    std::memcpy(to, &bits, sizeof bits);
}

// Returns the levels; writes the f16 scale.
template <class Reaches>
std::array<std::uint8_t, 32> fit_scaled(const float* x, const float* importance,
                                        const Uniform& levels, const Reaches& reaches,
                                        Bytes block) {
    const Group<32> group(x, importance);
    const float scale = best_half_scale(group, levels, reaches);
    put_half(scale, block);
    std::array<std::uint8_t, 32> numbers;
    put_levels(group, levels, scale, 0, numbers.data());
    return numbers;
}

// Returns the levels; writes f16 scale and f16 offset.
std::array<std::uint8_t, 32> fit_affine(const float* x, const float* importance,
                                        const Uniform& levels, Bytes block) {
    const Group<32> group(x, importance);
    const Affine found = best_affine(group, levels, no_limit, cuts);
    const float scale = nearest_half(found.scale), offset = nearest_half(found.offset);
    put_half(scale, block);
    put_half(offset, block + 2);
    std::array<std::uint8_t, 32> numbers;
    put_levels(group, levels, scale, offset, numbers.data());
    return numbers;
}

}  // namespace

void put_half(float value, Bytes to) {
    const std::uint16_t bits = float_to_half(value);
    std::memcpy(to, &bits, sizeof bits);
}

void q8_0(const float* x, const float* importance, Bytes block) {
    const auto levels = fit_scaled(x, importance, {-128, 127}, reaches_256, block);
    for (std::size_t i = 0; i < 32; ++i) block[2 + i] = static_cast<std::uint8_t>(levels[i] - 128);
}

void q4_0(const float* x, const float* importance, Bytes block) {
    put_nibbles(fit_scaled(x, importance, {-8, 7}, reaches_16, block), block + 2);
}

void q4_1(const float* x, const float* importance, Bytes block) {
    put_nibbles(fit_affine(x, importance, {0, 15}, block), block + 4);
}

void q5_0(const float* x, const float* importance, Bytes block) {
    const auto levels = fit_scaled(x, importance, {-16, 15}, reaches_32, block);
    put_high_bits(levels, block + 2);
    put_nibbles(levels, block + 6);
}

void q5_1(const float* x, const float* importance, Bytes block) {
    const auto levels = fit_affine(x, importance, {0, 31}, block);
    put_high_bits(levels, block + 4);
    put_nibbles(levels, block + 8);
}

}  // namespace quantising

namespace {

using quantising::QuantiseBlock;

struct Quantiser {
    Format to;
    QuantiseBlock* block;
};

constexpr Quantiser quantisers[] = {
    {Format::f32, quantising::f32},       {Format::f16, quantising::f16},
    {Format::bf16, quantising::bf16},     {Format::q8_0, quantising::q8_0},
    {Format::q4_0, quantising::q4_0},     {Format::q4_1, quantising::q4_1},
    {Format::q5_0, quantising::q5_0},     {Format::q5_1, quantising::q5_1},
    {Format::q2_k, quantising::q2_k},     {Format::q3_k, quantising::q3_k},
    {Format::q4_k, quantising::q4_k},     {Format::q5_k, quantising::q5_k},
    {Format::q6_k, quantising::q6_k},     {Format::iq4_nl, quantising::iq4_nl},
    {Format::iq4_xs, quantising::iq4_xs},
};

const Quantiser* find_quantiser(Format to) {
    const auto* found = std::ranges::find(quantisers, to, &Quantiser::to);
    return found == std::end(quantisers) ? nullptr : found;
}

// Scaled to a mean of 1, so that sums stay within a float's range, and never quite 0: a column that
// met no inputs may meet some.
std::vector<float> usable(std::span<const float> importance, std::uint64_t columns) {
    const double sum = std::accumulate(importance.begin(), importance.end(), 0.0);
    if (!(sum > 0)) return std::vector<float>(columns, 1.0f);
    constexpr double floor = 1e-4;
    std::vector<float> weights;
    for (const float each : importance)
        weights.push_back(static_cast<float>(each * static_cast<double>(columns) / sum + floor));
    return weights;
}

}  // namespace

bool can_quantise(Format to) { return find_quantiser(to) != nullptr; }

void quantise(Format to, std::span<const float> rows, std::uint64_t columns,
              std::span<const float> importance, std::span<std::byte> blocks) {
    const Quantiser* quantiser = find_quantiser(to);
    assert(quantiser);
    const std::vector<float> weights = usable(importance, columns);
    auto* block = reinterpret_cast<quantising::Bytes>(blocks.data());
    for (std::uint64_t row = 0; row < rows.size(); row += columns)
        for (std::uint64_t column = 0; column < columns; column += info(to).block_size) {
            quantiser->block(&rows[row + column], &weights[column], block);
            block += info(to).block_bytes;
        }
}

std::optional<std::size_t> find_unfit(Format to, std::span<const float> values) {
    constexpr float f16_most = 65504, bf16_most = 0x1.fep127f;
    const float most = to == Format::f32    ? std::numeric_limits<float>::max()
                       : to == Format::bf16 ? bf16_most
                                            : f16_most;
    const auto unfit = [&](float value) { return !(std::fabs(value) <= most); };
    const auto found = std::ranges::find_if(values, unfit);
    if (found == values.end()) return std::nullopt;
    return static_cast<std::size_t>(found - values.begin());
}

}  // namespace assay
