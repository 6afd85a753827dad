// About 1.5-bit weights in blocks of 256: w = scale * (2 s + 1) * (grid + delta) with a grid of -1, 0, 1 in runs of 8, and
// per 32 weights s and delta, 1/8 or -1/8. The f16 scale, a byte per run (its place in the grid), 16 bits per 32 weights:
// three more bits for each place, 3 bits s, delta's sign.
const uint block_size = 256, block_units = 25, unit_words = 1, factor_span = 32;
#include "grid.glsl"

Weights8 decode(uint first, uint part) {
    uvec2 more = each(word(first, 17 + part / 4));
    Weights8 w = grid_run8(iq1_grid, each(byte_at(first, 2 + part)) | (more >> (part % 4 * 3) & 7) << 8, 1.0);
    vec2 delta = 0.125 - 0.25 * vec2(more >> 15);
    [[unroll]] for (uint j = 0; j < 8; ++j) w.w[j] += delta;
    return w;
}

vec2 factor(uint first, uint part) { return half_at(first, 0) * (2.0 * numbers(word(first, 17 + part / 4), 12, 3, 0.0) + 1.0); }
