#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/reference/reference.h"

namespace assay::reference {
namespace {

using Blocks = std::span<const std::byte>;

std::uint32_t byte_at(Blocks block, std::size_t i) {
    return std::to_integer<std::uint32_t>(block[i]);
}

int signed_byte_at(Blocks block, std::size_t i) {
    return static_cast<std::int8_t>(byte_at(block, i));
}

std::uint16_t word_at(Blocks block, std::size_t i) {
    return static_cast<std::uint16_t>(byte_at(block, i) | byte_at(block, i + 1) << 8);
}

float float_of(std::uint32_t bits) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// Block layouts as in GGUF's specification; each function gives weight i of a block.

float f32(Blocks block, std::size_t) {
    return float_of(word_at(block, 0) | std::uint32_t{word_at(block, 2)} << 16);
}

float f16(Blocks block, std::size_t) { return half_to_float(word_at(block, 0)); }

float bf16(Blocks block, std::size_t) { return float_of(std::uint32_t{word_at(block, 0)} << 16); }

// f16 scale; 32 signed bytes.
float q8_0(Blocks block, std::size_t i) {
    return half_to_float(word_at(block, 0)) * static_cast<float>(signed_byte_at(block, 2 + i));
}

// f16 scale; 16 bytes, the low nibbles first.
float q4_0(Blocks block, std::size_t i) {
    const std::uint32_t byte = byte_at(block, 2 + i % 16);
    const int quantum = static_cast<int>(i < 16 ? byte & 15 : byte >> 4) - 8;
    return half_to_float(word_at(block, 0)) * static_cast<float>(quantum);
}

// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, f16 scale. In each half
// of 128 weights, weights 0-31 and 64-95 share the first 32 low bytes, 32-63 and 96-127 the other
// 32; all four share 32 high bytes.
float q6_k(Blocks block, std::size_t i) {
    const std::size_t half = i / 128, within = i % 128, run = within / 32, lane = within % 32;
    const std::uint32_t low = byte_at(block, 64 * half + 32 * (run % 2) + lane),
                        high = byte_at(block, 128 + 32 * half + lane);
    const std::uint32_t nibble = run < 2 ? low & 15 : low >> 4, pair = high >> (2 * run) & 3;
    const float scale = half_to_float(word_at(block, 208)) *
                        static_cast<float>(signed_byte_at(block, 192 + i / 16));
    return scale * static_cast<float>(static_cast<int>(nibble | pair << 4) - 32);
}

}  // namespace

float half_to_float(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const float sign = bits >> 15 ? -1.0f : 1.0f;
    if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
    return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

std::uint16_t float_to_half(float value) {
    const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
    const float magnitude = std::fabs(value);
    if (!(magnitude < 65520))
        return static_cast<std::uint16_t>(sign | (std::isnan(value) ? 0x7e00 : 0x7c00));
    // In steps of the last place, rint() rounds as the format does; a carry moves into the exponent
    // by itself.
    const int exponent = std::max(magnitude > 0 ? std::ilogb(magnitude) : -14, -14);
    const auto steps = static_cast<int>(std::rint(std::ldexp(magnitude, 10 - exponent)));
    return static_cast<std::uint16_t>(sign | (steps + ((exponent + 14) << 10)));
}

std::vector<float> dequantise(Format format, Blocks blocks) {
    float (*weight)(Blocks, std::size_t) = nullptr;
    switch (format) {
        case Format::f32:
            weight = f32;
            break;
        case Format::f16:
            weight = f16;
            break;
        case Format::bf16:
            weight = bf16;
            break;
        case Format::q8_0:
            weight = q8_0;
            break;
        case Format::q4_0:
            weight = q4_0;
            break;
        case Format::q6_k:
            weight = q6_k;
            break;
    }
    const FormatInfo& layout = info(format);
    std::vector<float> weights;
    weights.reserve(blocks.size() / layout.block_bytes * layout.block_size);
    for (std::size_t first = 0; first < blocks.size(); first += layout.block_bytes)
        for (std::size_t i = 0; i < layout.block_size; ++i)
            weights.push_back(weight(blocks.subspan(first, layout.block_bytes), i));
    return weights;
}

}  // namespace assay::reference
