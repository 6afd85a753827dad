// 4-bit floats (E2M1) in blocks of 64, with an 8-bit float (E4M3, its sign unused) per 16 weights: four of these, then 8
// bytes per 16 weights, the low nibbles first.
const uint block_size = 64, block_units = 18, unit_words = 1, factor_span = 16;
#include "e2m1.glsl"

Weights8 decode(uint first, uint part) {
    uint lowest = 4 * (part % 2);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = word(first, 2 + part / 2 * 4 + i);
        w.w[2 * i] = half_e2m1(q, lowest);
        w.w[2 * i + 1] = half_e2m1(q, 8 + lowest);
    }
    return w;
}

vec2 factor(uint first, uint part) {
    uint e4m3 = byte_at(first, part / 2);
    // Moved into an f16, whose exponent is biased by 8 more; 0x7f stands for 0.
    vec2 scale = unpackHalf2x16((e4m3 & 0x007f007fu) << 7) * (256.0 * 2.0);
    return mix(scale, vec2(0.0), equal(each(e4m3) & 127, uvec2(127)));
}
