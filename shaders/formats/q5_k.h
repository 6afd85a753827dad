// 5-bit weights in blocks of 256: w = scale * s * q - minimum * m with s and m per 32 weights. After these, 32 bytes of
// highest bits, bit r for run r of 32 weights, and low nibbles as in Q4_K.
const uint block_size = 256, block_units = 88, unit_words = 1, factor_span = 0;
#include "scale_and_minimum.glsl"

uint integers(uint first, uint part, uint i) {
    uint run = part / 4, high = part % 4 * 4;
    uint nibbles = word(first, 24 + run / 2 * 16 + high + i) >> (4 * (run % 2)) & 0x0f0f0f0fu;
    return nibbles | (word(first, 8 + high + i) >> run & 0x01010101u) << 4;
}

Weights8 decode(uint first, uint part) {
    vec2 scale, minimum;
    scale_and_minimum(first, part / 4, scale, minimum);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = integers(first, part, i);
        w.w[2 * i] = scale * numbers(q, 0, 8, 0.0) - minimum;
        w.w[2 * i + 1] = scale * numbers(q, 8, 8, 0.0) - minimum;
    }
    return w;
}

vec2 factor(uint first, uint part) { return vec2(1.0); }

const uint integer_span = 32;
const int integer_offset = 0;
const bool has_minimum = true;
