// 5-bit weights in blocks of 32 that share an f16 scale: w = scale * (q - 16). Scale, 4 bytes of highest bits in the
// order of the weights, then 16 bytes of low nibbles as in Q4_0.
const uint block_size = 32, block_units = 11, unit_words = 1, factor_span = 32;
#include "fifth_bits.glsl"

uint integers(uint first, uint part, uint i) {
    return five_bits(word(first, 3 + 4 * (part % 2) + i), 4 * (part / 2), byte_at(first, 2 + part), i);
}

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = integers(first, part, i);
        w.w[2 * i] = numbers(q, 0, 8, 16.0);
        w.w[2 * i + 1] = numbers(q, 8, 8, 16.0);
    }
    return w;
}

vec2 factor(uint first, uint part) { return half_at(first, 0); }

const uint integer_span = 32;
const int integer_offset = 16;
const bool has_minimum = false;
vec2 integer_scale(uint first, uint part) { return factor(first, part); }
vec2 integer_minimum(uint first, uint part) { return vec2(0.0); }
