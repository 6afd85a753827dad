// About 3-bit weights in blocks of 256: w = scale * (2 s + 1) * grid, in runs of 4, s per 32. The f16 scale, a byte per run
// (its place in the grid), the places' highest bits in order, a byte of signs per 8 weights, nibbles s.
const uint block_size = 256, block_units = 55, unit_words = 1, factor_span = 32;
#include "grid.glsl"

Weights8 decode(uint first, uint part) {
    uvec2 runs = each(word(first, 1 + part)), highest = each(byte_at(first, 66 + part / 4) >> (part % 4 * 2));
    return negated(grid_runs4(iq3_s_grid, runs & 255 | (highest & 1) << 8, runs >> 8 | (highest & 2) << 7),
                   each(byte_at(first, 74 + part)));
}

vec2 factor(uint first, uint part) {
    return half_at(first, 0) * (2.0 * numbers(byte_at(first, 106 + part / 8), part / 4 % 2 * 4, 4, 0.0) + 1.0);
}
