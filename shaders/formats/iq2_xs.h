// About 2-bit weights in blocks of 256: w = scale * (s + 1/2) / 4 * grid, in runs of 8, s per 16. The f16 scale, 16 bits
// for each run (its place in the grid below 7 signs), nibbles s.
const uint block_size = 256, block_units = 37, unit_words = 1, factor_span = 16;
#include "grid.glsl"

Weights8 decode(uint first, uint part) {
    uvec2 run = each(word(first, 1 + part));
    return negated(grid_run8(iq2_xs_grid, run & 511, 0.0), even_signs(run >> 9));
}

vec2 factor(uint first, uint part) {
    return half_at(first, 0) * numbers(byte_at(first, 66 + part / 4), part / 2 % 2 * 4, 4, -0.5) * 0.25;
}
