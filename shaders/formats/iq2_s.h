// About 2-bit weights in blocks of 256: w = scale * (s + 1/2) / 4 * grid, in runs of 8, s per 16. The f16 scale, a byte per
// run (its place in the grid), a byte of signs per run, upper bit pairs of the places, nibbles s.
const uint block_size = 256, block_units = 41, unit_words = 1, factor_span = 16;
#include "grid.glsl"

Weights8 decode(uint first, uint part) {
    uint pair = byte_at(first, 66 + part / 4) >> (part % 4 * 2) & 0x00030003u;
    uvec2 index = each(byte_at(first, 2 + part) | pair << 8);
    return negated(grid_run8(iq2_s_grid, index, 0.0), each(byte_at(first, 34 + part)));
}

vec2 factor(uint first, uint part) {
    return half_at(first, 0) * numbers(byte_at(first, 74 + part / 4), part / 2 % 2 * 4, 4, -0.5) * 0.25;
}
