// 5-bit weights in blocks of 32: w = scale * q + minimum. Both in f16, then as in Q5_0.
const uint block_size = 32, block_units = 12, unit_words = 1, factor_span = 0;
#include "fifth_bits.glsl"

uint integers(uint first, uint part, uint i) {
    return five_bits(word(first, 4 + 4 * (part % 2) + i), 4 * (part / 2), byte_at(first, 4 + part), i);
}

Weights8 decode(uint first, uint part) {
    vec2 scale = half_at(first, 0), minimum = half_at(first, 1);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = integers(first, part, i);
        w.w[2 * i] = scale * numbers(q, 0, 8, 0.0) + minimum;
        w.w[2 * i + 1] = scale * numbers(q, 8, 8, 0.0) + minimum;
    }
    return w;
}

vec2 factor(uint first, uint part) { return vec2(1.0); }

const uint integer_span = 32;
const int integer_offset = 0;
const bool has_minimum = true;
vec2 integer_scale(uint first, uint part) { return half_at(first, 0); }
vec2 integer_minimum(uint first, uint part) { return half_at(first, 1); }
