// 5-bit weights in blocks of 32 that share an f16 scale: w = scale * (q - 16). Scale, 4 bytes of highest bits in the
// order of the weights, then 16 bytes of low nibbles as in Q4_0.
const uint block_size = 32, block_units = 11, unit_words = 1, factor_span = 32;
#include "fifth_bits.glsl"

Weights8 decode(uint first, uint part) {
    uint fifths = byte_at(first, 2 + part);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = five_bits(word(first, 3 + 4 * (part % 2) + i), 4 * (part / 2), fifths, i);
        w.w[2 * i] = numbers(q, 0, 8, 16.0);
        w.w[2 * i + 1] = numbers(q, 8, 8, 16.0);
    }
    return w;
}

vec2 factor(uint first, uint part) { return half_at(first, 0); }
