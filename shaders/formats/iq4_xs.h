// 4-bit weights in blocks of 256: w = scale * (s - 32) * value(q) with 6 bits s per 32 weights. The f16 scale, 2 bytes
// with the upper bit pairs of s, 4 bytes with the low nibbles, then 16 bytes per 32 weights as in Q4_0.
const uint block_size = 256, block_units = 68, unit_words = 1, factor_span = 32;
#include "iq4_values.glsl"

Weights8 decode(uint first, uint part) {
    uint lowest = 4 * (part % 4 / 2);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint bytes = word(first, 4 + part / 4 * 8 + part % 2 * 4 + i);
        w.w[2 * i] = iq4_value(numbers(bytes, lowest, 4, 8.0));
        w.w[2 * i + 1] = iq4_value(numbers(bytes, 8 + lowest, 4, 8.0));
    }
    return w;
}

vec2 factor(uint first, uint part) {
    uint run = part / 4;
    uint nibble = byte_at(first, 4 + run / 2) >> (4 * (run % 2)) & 0x000f000fu;
    uint pair = word(first, 1) >> (2 * run) & 0x00030003u;
    return half_at(first, 0) * numbers(nibble | pair << 4, 0, 8, 32.0);
}

const uint integer_span = 32;
const int integer_offset = 0;
const bool has_minimum = false;
uint integers(uint first, uint part, uint i) {
    return iq4_bytes(word(first, 4 + part / 4 * 8 + part % 2 * 4 + i), 4 * (part % 4 / 2));
}
vec2 integer_scale(uint first, uint part) { return factor(first, part); }
vec2 integer_minimum(uint first, uint part) { return vec2(0.0); }
