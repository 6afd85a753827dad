// About 3-bit weights in blocks of 256: w = scale * (s + 1/2) / 2 * grid, in runs of 4, s per 32. The f16 scale, a byte per
// run (its place in the grid), a word per 32 weights as in IQ2_XXS.
const uint block_size = 256, block_units = 49, unit_words = 1, factor_span = 32;
#include "grid.glsl"

uvec2 signs_and_s(uint first, uint part) { return word_at(first, 33 + part / 4 * 2); }

Weights8 decode(uint first, uint part) {
    uvec2 runs = each(word(first, 1 + part));
    return negated(grid_runs4(iq3_xxs_grid, runs & 255, runs >> 8), even_signs(signs_and_s(first, part) >> (part % 4 * 7)));
}

vec2 factor(uint first, uint part) { return half_at(first, 0) * (vec2(signs_and_s(first, part) >> 28) + 0.5) * 0.5; }
