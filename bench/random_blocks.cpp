#include "bench/random_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "runtime/half.h"

namespace assay::bench {
namespace {

// What random bits decode to when a block's scale is 1: their root mean square. Where the f16 scale
// lies, and where the minimum does whose product with the scale makes their mean about 0.
struct Blocks {
    double spread = 0;
    std::size_t scale_at = 0, minimum_at = 0;  // minimum_at 0: there is none
    double minimum = 0;
};

// clang-format off
Blocks blocks_of(Format format) {
    switch (format) {
    case Format::f32:
    case Format::f16:
    case Format::bf16: break;
    case Format::q8_0: return {74};
    case Format::q4_0: return {4.6};
    case Format::q4_1: return {4.6, 0, 2, -7.5};
    case Format::q5_0: return {9.2};
    case Format::q5_1: return {9.2, 0, 2, -15.5};
    case Format::q2_k: return {13.9, 80, 82, 1.5};
    case Format::q3_k: return {43, 108};
    case Format::q4_k: return {259, 0, 2, 7.5};
    case Format::q5_k: return {528, 0, 2, 15.5};
    case Format::q6_k: return {1370, 208};
    case Format::iq4_nl: return {68};
    case Format::iq4_xs: return {1246};
    case Format::iq3_s: return {140};
    case Format::iq3_xxs: return {143};
    case Format::iq2_s: return {56};
    case Format::iq2_xs: return {56};
    case Format::iq2_xxs: return {53};
    case Format::iq1_s: return {7.2};
    case Format::iq1_m: return {7.2, 48};
    case Format::mxfp4: return {2.9};
    case Format::nvfp4: return {2.9};
    case Format::tq1_0: return {0.82, 52};
    case Format::tq2_0: return {1.2, 64};
    }
    throw std::logic_error("a format without scales");
}
// clang-format on

// Evenly spread numbers whose root mean square is `deviation`, by 16 random bits.
float number(std::uint64_t bits, double deviation) {
    return static_cast<float>((static_cast<double>(bits & 0xffff) / 32768 - 1) * std::sqrt(3.0) *
                              deviation);
}

void put_half(std::byte* at, double value) {
    const std::uint16_t bits = float_to_half(static_cast<float>(value));
    std::memcpy(at, &bits, sizeof bits);
}

// The f16 scale as a nibble atop each of four words.
void put_nibbles(std::byte* at, double scale) {
    const int bits = float_to_half(static_cast<float>(scale));
    for (int i = 0; i < 4; ++i)
        at[2 * i + 1] =
            (at[2 * i + 1] & std::byte{15}) | static_cast<std::byte>((bits >> (4 * i) & 15) << 4);
}

// The exponents of both blocks.
void put_e8m0(std::byte* block, double scale) {
    const int power = std::ilogb(std::max(std::fabs(scale), 0x1p-100));
    block[0] = block[17] = static_cast<std::byte>(127 + power);
}

// Each of four runs: an f16 of fewer bits, whose exponent has 8 less of bias.
void put_e4m3(std::byte* block, double scale) {
    const int bits = float_to_half(static_cast<float>(std::fabs(scale) / 256));
    for (int i = 0; i < 4; ++i) block[i] = static_cast<std::byte>((bits + 64) >> 7);
}

void put_scale(Format format, const Blocks& blocks, double scale, std::byte* block) {
    if (format == Format::mxfp4) return put_e8m0(block, scale);
    if (format == Format::nvfp4) return put_e4m3(block, scale);
    if (format == Format::iq1_m) return put_nibbles(block + blocks.scale_at, scale);
    put_half(block + blocks.scale_at, scale);
    if (blocks.minimum_at != 0) put_half(block + blocks.minimum_at, blocks.minimum * scale);
}

}  // namespace

Format format_named(const std::string& name) {
    if (const auto format = format_from_name(name)) return *format;
    throw std::runtime_error(name + ": no such weight format");
}

std::uint64_t RandomBlocks::next() {  // splitmix64 (Steele, Lea & Flood 2014)
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void RandomBlocks::fill(Format format, double deviation, std::span<std::byte> blocks) {
    if (info(format).block_size == 1) {
        // Every element is one of 65536 numbers, made once.
        const std::size_t size = info(format).block_bytes;
        std::vector<std::byte> numbers(65536 * size);
        for (std::size_t i = 0; i < 65536; ++i) {
            const float value = number(i, deviation);
            std::uint32_t bits = 0;
            std::memcpy(&bits, &value, sizeof bits);
            if (format == Format::f16) bits = float_to_half(value);
            if (format == Format::bf16) bits >>= 16;
            std::memcpy(&numbers[i * size], &bits, size);
        }
        for (std::size_t at = 0; at + size <= blocks.size(); at += size)
            std::memcpy(&blocks[at], &numbers[(next() & 0xffff) * size], size);
        return;
    }
    std::size_t at = 0;
    for (; at + 8 <= blocks.size(); at += 8) {
        const std::uint64_t bits = next();
        std::memcpy(&blocks[at], &bits, 8);
    }
    for (; at < blocks.size(); ++at) blocks[at] = static_cast<std::byte>(next());

    const Blocks layout = blocks_of(format);
    for (std::size_t block = 0; block < blocks.size(); block += info(format).block_bytes)
        put_scale(format, layout, number(next(), deviation / layout.spread), &blocks[block]);
}

}  // namespace assay::bench
