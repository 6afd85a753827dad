// 4-bit weights in blocks of 256: w = scale * s * q - minimum * m with s and m per 32 weights. After these, 128 bytes
// that each hold two runs of 32 weights in 32 bytes, the first in the low nibbles.
const uint block_size = 256, block_units = 72, unit_words = 1, factor_span = 0;
#include "scale_and_minimum.glsl"

Weights8 decode(uint first, uint part) {
    uint run = part / 4, lowest = 4 * (run % 2);
    vec2 scale, minimum;
    scale_and_minimum(first, run, scale, minimum);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = word(first, 8 + run / 2 * 16 + part % 4 * 4 + i);
        w.w[2 * i] = scale * numbers(q, lowest, 4, 0.0) - minimum;
        w.w[2 * i + 1] = scale * numbers(q, 8 + lowest, 4, 0.0) - minimum;
    }
    return w;
}

vec2 factor(uint first, uint part) { return vec2(1.0); }

const uint integer_span = 32;
const int integer_offset = 0;
const bool has_minimum = true;
uint integers(uint first, uint part, uint i) {
    uint run = part / 4;
    return word(first, 8 + run / 2 * 16 + part % 4 * 4 + i) >> (4 * (run % 2)) & 0x0f0f0f0fu;
}
