#pragma once
#include <bit>
#include <cstdint>

namespace assay {

// IEEE half precision, as its bits.

constexpr float half_to_float(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31, rest = (bits & 0x7fffu) << 13;
    constexpr std::uint32_t smallest = 1u << 23, infinity = 31u << 23;  // normal number, of a half
    std::uint32_t magnitude = rest + (112u << 23);                      // the exponent's other bias
    if (rest >= infinity) magnitude = rest | 0x7f800000u;
    if (rest < smallest)
        magnitude =
            std::bit_cast<std::uint32_t>(std::bit_cast<float>(rest + (113u << 23)) - 0x1p-14f);
    return std::bit_cast<float>(sign | magnitude);
}

// To the nearest, ties to even.
constexpr std::uint16_t float_to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = bits >> 31 << 15, magnitude = bits & 0x7fffffffu;
    std::uint32_t half = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1)) >> 13;
    if (magnitude < std::bit_cast<std::uint32_t>(0x1p-14f))  // 0.5 has steps of a subnormal half
        half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
               std::bit_cast<std::uint32_t>(0.5f);
    if (magnitude >= std::bit_cast<std::uint32_t>(65520.0f)) half = 0x7c00;
    if (magnitude > 0x7f800000u) half = 0x7e00;  // not a number
    return static_cast<std::uint16_t>(sign | half);
}

}  // namespace assay
