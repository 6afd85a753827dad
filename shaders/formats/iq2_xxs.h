// About 2-bit weights in blocks of 256: w = scale * (s + 1/2) / 4 * grid, in runs of 8, s per 32. The f16 scale; for 32
// weights four bytes, each a run of the grid, and a word of four times 7 signs below 4 bits s.
const uint block_size = 256, block_units = 33, unit_words = 1, factor_span = 32;
#include "grid.glsl"

uvec2 signs_and_s(uint first, uint part) { return word_at(first, 1 + part / 4 * 4 + 2); }

Weights8 decode(uint first, uint part) {
    uvec2 index = each(byte_at(first, 2 + part / 4 * 8 + part % 4));
    return negated(grid_run8(iq2_xxs_grid, index, 0.0), even_signs(signs_and_s(first, part) >> (part % 4 * 7)));
}

vec2 factor(uint first, uint part) { return half_at(first, 0) * (vec2(signs_and_s(first, part) >> 28) + 0.5) * 0.25; }
