#include "model/formats/dequantise.h"

#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "runtime/codebooks.h"
#include "runtime/half.h"

namespace assay {
namespace {

// Block layouts as in GGUF's specification and ggml's dequantize_row functions (MIT licence); each
// function decodes one block. Where a format names no other, quanta of 32 weights lie in nibbles of
// 16 bytes, the low ones first, and those of 128 weights in bit pairs of 32 bytes, the lowest
// first.
using Block = const std::uint8_t*;

std::uint32_t word_at(Block block) {
    return block[0] | block[1] << 8 | block[2] << 16 | std::uint32_t{block[3]} << 24;
}

float half_at(Block block) {
    return half_to_float(static_cast<std::uint16_t>(block[0] | block[1] << 8));
}

int nibble(Block bytes, int i) { return bytes[i / 2] >> (i % 2 * 4) & 15; }

int bit(Block bytes, int i) { return bytes[i / 8] >> (i % 8) & 1; }

void f32(Block block, float* w) { std::memcpy(w, block, sizeof *w); }

void f16(Block block, float* w) { *w = half_at(block); }

void bf16(Block block, float* w) {
    *w = std::bit_cast<float>(std::uint32_t{block[0]} << 16 | std::uint32_t{block[1]} << 24);
}

// f16 scale; 32 signed bytes.
void q8_0(Block block, float* w) {
    const float scale = half_at(block);
    for (int i = 0; i < 32; ++i)
        w[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

// f16 scale; nibbles.
void q4_0(Block block, float* w) {
    const float scale = half_at(block);
    for (int i = 0; i < 16; ++i) {
        w[i] = scale * static_cast<float>((block[2 + i] & 15) - 8);
        w[i + 16] = scale * static_cast<float>((block[2 + i] >> 4) - 8);
    }
}

// f16 scale, f16 minimum; nibbles.
void q4_1(Block block, float* w) {
    const float scale = half_at(block), minimum = half_at(block + 2);
    for (int i = 0; i < 16; ++i) {
        w[i] = scale * static_cast<float>(block[4 + i] & 15) + minimum;
        w[i + 16] = scale * static_cast<float>(block[4 + i] >> 4) + minimum;
    }
}

// A quantum of Q5_0 and Q5_1: 4 bytes of highest bits; nibbles.
float five_bits(Block highs, int i) {
    const int low = highs[4 + i % 16] >> (i / 16 * 4) & 15;
    return static_cast<float>(low | bit(highs, i) << 4);
}

// f16 scale.
void q5_0(Block block, float* w) {
    const float scale = half_at(block);
    for (int i = 0; i < 32; ++i) w[i] = scale * (five_bits(block + 2, i) - 16);
}

// f16 scale, f16 minimum.
void q5_1(Block block, float* w) {
    const float scale = half_at(block), minimum = half_at(block + 2);
    for (int i = 0; i < 32; ++i) w[i] = scale * five_bits(block + 4, i) + minimum;
}

// 16 bytes of s and m; 64 bytes of bit pairs; f16 scale, f16 minimum.
void q2_k(Block block, float* w) {
    const float scale = half_at(block + 80), minimum = half_at(block + 82);
    for (int run = 0; run < 16; ++run) {  // of 16 weights
        const Block pairs = block + 16 + run / 8 * 32 + run % 2 * 16;
        const float s = scale * static_cast<float>(block[run] & 15),
                    m = minimum * static_cast<float>(block[run] >> 4);
        for (int i = 0; i < 16; ++i)
            *w++ = s * static_cast<float>(pairs[i] >> (run % 8 / 2 * 2) & 3) - m;
    }
}

// 32 bytes of highest bits, bit r for run r of 32 weights; 64 bytes of bit pairs; 12 bytes of s:
// low nibbles 0-7 and 8-15 in 8 bytes, bit pairs 0-3, 4-7, 8-11 and 12-15 in 4; f16 scale.
void q3_k(Block block, float* w) {
    const float scale = half_at(block + 108);
    for (int run = 0; run < 16; ++run) {  // of 16 weights
        const Block highs = block + run % 2 * 16, pairs = block + 32 + run / 8 * 32 + run % 2 * 16,
                    s = block + 96;
        const int low = s[run % 8] >> (run / 8 * 4) & 15,
                  high = s[8 + run % 4] >> (run / 4 * 2) & 3;
        const float run_scale = scale * static_cast<float>((low | high << 4) - 32);
        for (int i = 0; i < 16; ++i) {
            const int q = (pairs[i] >> (run % 8 / 2 * 2) & 3) | (highs[i] >> (run / 2) & 1) << 2;
            *w++ = run_scale * static_cast<float>(q - 4);
        }
    }
}

// The scale and minimum of a run of 32 weights in Q4_K and Q5_K: f16 scale, f16 minimum, then 12
// bytes of 6-bit factors: s and m of runs 0-3 in the low bits of 4 bytes each, those of runs 4-7 in
// 4 bytes of nibbles and the upper bit pairs of the first 8.
struct RunScale {
    float scale, minimum;
};
RunScale run_scale(Block block, int run) {
    const Block s = block + 4 + run % 4, m = s + 4, both = m + 4;
    const int run_s = run < 4 ? *s & 63 : (*both & 15) | *s >> 6 << 4,
              run_m = run < 4 ? *m & 63 : *both >> 4 | *m >> 6 << 4;
    return {half_at(block) * static_cast<float>(run_s),
            half_at(block + 2) * static_cast<float>(run_m)};
}

// Scales; 128 bytes of nibbles, 64 weights in 32 bytes.
void q4_k(Block block, float* w) {
    for (int run = 0; run < 8; ++run) {
        const auto [scale, minimum] = run_scale(block, run);
        const Block nibbles = block + 16 + run / 2 * 32;
        for (int i = 0; i < 32; ++i)
            *w++ = scale * static_cast<float>(nibbles[i] >> (run % 2 * 4) & 15) - minimum;
    }
}

// Scales; 32 bytes of highest bits, bit r for run r; nibbles as in Q4_K.
void q5_k(Block block, float* w) {
    for (int run = 0; run < 8; ++run) {
        const auto [scale, minimum] = run_scale(block, run);
        const Block highs = block + 16, nibbles = block + 48 + run / 2 * 32;
        for (int i = 0; i < 32; ++i) {
            const int q = (nibbles[i] >> (run % 2 * 4) & 15) | (highs[i] >> run & 1) << 4;
            *w++ = scale * static_cast<float>(q) - minimum;
        }
    }
}

// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, f16 scale. In each half
// of 128 weights, weights 0-31 and 64-95 share the first 32 low bytes, 32-63 and 96-127 the other
// 32; all four share 32 high bytes.
void q6_k(Block block, float* w) {
    const float scale = half_at(block + 208);
    for (int run = 0; run < 16; ++run) {  // of 16 weights
        const Block low = block + run / 8 * 64 + run % 4 * 16,
                    high = block + 128 + run / 8 * 32 + run % 2 * 16;
        const float run_scale =
            scale * static_cast<float>(static_cast<std::int8_t>(block[192 + run]));
        for (int i = 0; i < 16; ++i) {
            const int q = (low[i] >> (run % 8 / 4 * 4) & 15) | (high[i] >> (run % 8 / 2 * 2) & 3)
                                                                   << 4;
            *w++ = run_scale * static_cast<float>(q - 32);
        }
    }
}

constexpr float iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                  1,    13,   25,  38,  53,  69,  89,  113};
// Twice the number of a sign, two bits of exponent and one of mantissa.
constexpr float e2m1_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 2 * count weights out of the values that `count` bytes of nibbles name.
void chosen(Block bytes, int count, const float (&values)[16], float scale, float* w) {
    for (int i = 0; i < count; ++i) {
        w[i] = scale * values[bytes[i] & 15];
        w[i + count] = scale * values[bytes[i] >> 4];
    }
}

// f16 scale; nibbles.
void iq4_nl(Block block, float* w) { chosen(block + 2, 16, iq4_values, half_at(block), w); }

// f16 scale; s of 32 weights each: 2 bytes of upper bit pairs, 4 bytes of low nibbles; nibbles.
void iq4_xs(Block block, float* w) {
    for (int run = 0; run < 8; ++run) {
        const int s = nibble(block + 4, run) | (block[2 + run / 4] >> (run % 4 * 2) & 3) << 4;
        chosen(block + 8 + 16 * run, 16, iq4_values, half_at(block) * static_cast<float>(s - 32),
               w + 32 * run);
    }
}

// Two blocks of: exponent of a power of two, biased by 127; nibbles.
void mxfp4(Block block, float* w) {
    for (int half = 0; half < 2; ++half, block += 17, w += 32) {
        const std::uint32_t e = block[0];
        const auto half_power = std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
        chosen(block + 1, 16, e2m1_values, half_power, w);
    }
}

// 4 scales with 4 bits of exponent biased by 7 and 3 of mantissa, 0x7f for 0; nibbles of 16
// weights.
void nvfp4(Block block, float* w) {
    for (int run = 0; run < 4; ++run) {
        const int e4m3 = block[run] & 127;
        const float scale = half_to_float(static_cast<std::uint16_t>(e4m3 << 7)) * 256;  // bias 15
        chosen(block + 4 + 8 * run, 8, e2m1_values, e4m3 == 127 ? 0 : scale / 2, w + 16 * run);
    }
}

// 52 bytes whose n-th ternary digit after the point, 5 in 48 and 4 in 4, is a weight + 1; f16
// scale.
void tq1_0(Block block, float* w) {
    const float scale = half_at(block + 52);
    struct Part {
        int first_byte, bytes, digits;
    };
    for (const auto& [first_byte, bytes, digits] : {Part{0, 32, 5}, {32, 16, 5}, {48, 4, 4}})
        for (int digit = 0, power = 1; digit < digits; ++digit, power *= 3)
            for (int i = 0; i < bytes; ++i) {
                const int rest = block[first_byte + i] * power & 255;
                *w++ = scale * static_cast<float>((rest * 3 >> 8) - 1);
            }
}

// 64 bytes of bit pairs; f16 scale.
void tq2_0(Block block, float* w) {
    const float scale = half_at(block + 64);
    for (int run = 0; run < 8; ++run)
        for (int i = 0; i < 32; ++i)
            *w++ = scale * static_cast<float>((block[run / 4 * 32 + i] >> (run % 4 * 2) & 3) - 1);
}

// Byte i of a codebook's grid.
struct Grid {
    const std::uint32_t* words;
    float operator[](int i) const { return static_cast<float>(words[i / 4] >> (i % 4 * 8) & 255); }
};

Grid grid(std::uint32_t first_word, int word) { return {codebooks().data() + first_word + word}; }

// `count` weights out of a grid, negated where a bit of `signs` says so.
void grid_run(const Grid& run, int count, std::uint32_t signs, float scale, float* w) {
    for (int i = 0; i < count; ++i) w[i] = (signs >> i & 1) != 0 ? -scale * run[i] : scale * run[i];
}

// The low seven bits, and an eighth that makes the number of bits even.
std::uint32_t even_signs(std::uint32_t bits) {
    bits &= 127;
    return bits | static_cast<std::uint32_t>(std::popcount(bits) & 1) << 7;
}

// f16 scale; for 32 weights 4 places in the grid and a word of 4 x 7 signs and 4 bits s.
void iq2_xxs(Block block, float* w) {
    for (int run = 0; run < 32; ++run) {  // of 8 weights
        const Block places = block + 2 + run / 4 * 8;
        const std::uint32_t word = word_at(places + 4);
        const float scale = half_at(block) * (static_cast<float>(word >> 28) + 0.5f) * 0.25f;
        grid_run(grid(shader::iq2_xxs_grid, 2 * places[run % 4]), 8,
                 even_signs(word >> (run % 4 * 7)), scale, w + 8 * run);
    }
}

// f16 scale; for 8 weights 9 bits of place and 7 signs; for 16 weights a nibble s.
void iq2_xs(Block block, float* w) {
    for (int run = 0; run < 32; ++run) {
        const int code = block[2 + 2 * run] | block[3 + 2 * run] << 8;
        const float s = static_cast<float>(nibble(block + 66, run / 2)) + 0.5f;
        grid_run(grid(shader::iq2_xs_grid, 2 * (code & 511)), 8,
                 even_signs(static_cast<std::uint32_t>(code >> 9)), half_at(block) * s * 0.25f,
                 w + 8 * run);
    }
}

// f16 scale; for 8 weights a place and 8 signs; bit pairs above the places; for 16 weights a nibble
// s.
void iq2_s(Block block, float* w) {
    for (int run = 0; run < 32; ++run) {
        const int place = block[2 + run] | (block[66 + run / 4] >> (run % 4 * 2) & 3) << 8;
        const float s = static_cast<float>(nibble(block + 74, run / 2)) + 0.5f;
        grid_run(grid(shader::iq2_s_grid, 2 * place), 8, block[34 + run],
                 half_at(block) * s * 0.25f, w + 8 * run);
    }
}

// f16 scale; for 4 weights a place; for 32 weights a word as in IQ2_XXS.
void iq3_xxs(Block block, float* w) {
    for (int run = 0; run < 64; ++run) {  // of 4 weights
        const std::uint32_t word = word_at(block + 66 + run / 8 * 4),
                            signs = even_signs(word >> (run % 8 / 2 * 7)) >> (run % 2 * 4);
        const float scale = half_at(block) * (static_cast<float>(word >> 28) + 0.5f) * 0.5f;
        grid_run(grid(shader::iq3_xxs_grid, block[2 + run]), 4, signs, scale, w + 4 * run);
    }
}

// f16 scale; for 4 weights a place; bits above the places; signs; for 32 weights a nibble s.
void iq3_s(Block block, float* w) {
    for (int run = 0; run < 64; ++run) {
        const int place = block[2 + run] | bit(block + 66, run) << 8;
        const auto signs = static_cast<std::uint32_t>(nibble(block + 74, run));
        const float s = static_cast<float>(2 * nibble(block + 106, run / 8) + 1);
        grid_run(grid(shader::iq3_s_grid, place), 4, signs, half_at(block) * s, w + 4 * run);
    }
}

// 8 weights out of a grid of 0, 1, 2: each less 7/8, or less 9/8 if `minus`.
void iq1_run(int place, bool minus, float scale, float* w) {
    const Grid run = grid(shader::iq1_grid, 2 * place);
    for (int i = 0; i < 8; ++i) w[i] = scale * (run[i] - (minus ? 1.125f : 0.875f));
}

// f16 scale; for 8 weights a place; for 32 weights 4 x 3 bits above the places, 3 bits s, a sign.
void iq1_s(Block block, float* w) {
    for (int run = 0; run < 32; ++run) {
        const int bits = block[34 + run / 4 * 2] | block[35 + run / 4 * 2] << 8;
        iq1_run(block[2 + run] | (bits >> (run % 4 * 3) & 7) << 8, bits >> 15 != 0,
                half_at(block) * static_cast<float>(2 * (bits >> 12 & 7) + 1), w + 8 * run);
    }
}

// For 8 weights a place, and 3 bits above it with a sign; four times 4 x 3 bits s for 16 weights
// and a nibble of the f16 scale.
void iq1_m(Block block, float* w) {
    int scale_bits = 0;
    for (int i = 0; i < 4; ++i) scale_bits |= block[49 + 2 * i] >> 4 << (4 * i);
    const float scale = half_to_float(static_cast<std::uint16_t>(scale_bits));
    for (int run = 0; run < 32; ++run) {
        const int s_bits = block[48 + run / 8 * 2] | block[49 + run / 8 * 2] << 8,
                  s = s_bits >> (run / 2 % 4 * 3) & 7, more = nibble(block + 32, run);
        iq1_run(block[run] | (more & 7) << 8, more >> 3 != 0, scale * static_cast<float>(2 * s + 1),
                w + 8 * run);
    }
}

template <void (*decode)(Block, float*)>
void decode_all(const FormatInfo& format, std::span<const std::byte> blocks, float* w) {
    const auto* block = reinterpret_cast<Block>(blocks.data());
    const auto* end = block + blocks.size();
    for (; block != end; block += format.block_bytes, w += format.block_size) decode(block, w);
}

using Decoder = void (*)(const FormatInfo&, std::span<const std::byte>, float*);

// clang-format off
Decoder decoder(Format format) {
    switch (format) {
    case Format::f32: return decode_all<f32>;
    case Format::f16: return decode_all<f16>;
    case Format::bf16: return decode_all<bf16>;
    case Format::q8_0: return decode_all<q8_0>;
    case Format::q4_0: return decode_all<q4_0>;
    case Format::q4_1: return decode_all<q4_1>;
    case Format::q5_0: return decode_all<q5_0>;
    case Format::q5_1: return decode_all<q5_1>;
    case Format::q2_k: return decode_all<q2_k>;
    case Format::q3_k: return decode_all<q3_k>;
    case Format::q4_k: return decode_all<q4_k>;
    case Format::q5_k: return decode_all<q5_k>;
    case Format::q6_k: return decode_all<q6_k>;
    case Format::iq4_nl: return decode_all<iq4_nl>;
    case Format::iq4_xs: return decode_all<iq4_xs>;
    case Format::iq3_s: return decode_all<iq3_s>;
    case Format::iq3_xxs: return decode_all<iq3_xxs>;
    case Format::iq2_s: return decode_all<iq2_s>;
    case Format::iq2_xs: return decode_all<iq2_xs>;
    case Format::iq2_xxs: return decode_all<iq2_xxs>;
    case Format::iq1_s: return decode_all<iq1_s>;
    case Format::iq1_m: return decode_all<iq1_m>;
    case Format::mxfp4: return decode_all<mxfp4>;
    case Format::nvfp4: return decode_all<nvfp4>;
    case Format::tq1_0: return decode_all<tq1_0>;
    case Format::tq2_0: return decode_all<tq2_0>;
    }
    return nullptr;
}
// clang-format on

}  // namespace

void dequantise(Format format, std::span<const std::byte> blocks, std::span<float> weights) {
    const FormatInfo& layout = info(format);
    assert(blocks.size() % layout.block_bytes == 0);
    assert(weights.size() == blocks.size() / layout.block_bytes * layout.block_size);
    decoder(format)(layout, blocks, weights.data());
}

}  // namespace assay
