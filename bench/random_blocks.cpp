#include "bench/random_blocks.h"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "runtime/half.h"

namespace assay::bench {
namespace {

// Where a block's f16 scale lies, and what it is multiplied with on average (root mean square) when
// all bits are random.
struct Scale {
    std::size_t offset;
    double spread;
};

Scale scale_of(Format format) {
    constexpr double nibble = 4.6, byte = 74, six_bits = 18.5;
    switch (format) {
        case Format::q4_0:
            return {0, nibble};
        case Format::q8_0:
            return {0, byte};
        case Format::q6_k:
            return {208, six_bits * byte};
        case Format::f32:
        case Format::f16:
        case Format::bf16:
            break;
    }
    throw std::logic_error("a format without scales");
}

// Evenly spread numbers whose root mean square is `deviation`, by 16 random bits.
float number(std::uint64_t bits, double deviation) {
    return static_cast<float>((static_cast<double>(bits & 0xffff) / 32768 - 1) * std::sqrt(3.0) *
                              deviation);
}

}  // namespace

Format format_named(const std::string& name) {
    for (std::uint16_t i = 0; i < axis_size<Format>; ++i)
        if (info(static_cast<Format>(i)).name == name) return static_cast<Format>(i);
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

    const Scale scale = scale_of(format);
    const std::uint16_t bits = float_to_half(static_cast<float>(deviation / scale.spread));
    for (std::size_t block = 0; block < blocks.size(); block += info(format).block_bytes)
        std::memcpy(&blocks[block + scale.offset], &bits, sizeof bits);
}

}  // namespace assay::bench
