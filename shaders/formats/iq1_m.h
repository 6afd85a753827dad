// About 1.75-bit weights in blocks of 256: as IQ1_S, but s per 16 weights and delta per run. A byte per run (its place in
// the grid), a nibble per run (three more bits of it, delta's sign), four units that each hold 3 bits s four times and a
// nibble of the f16 scale, the lowest first.
const uint block_size = 256, block_units = 28, unit_words = 1, factor_span = 16;
#include "grid.glsl"

Weights8 decode(uint first, uint part) {
    uvec2 more = each(byte_at(first, 32 + part / 2)) >> (part % 2 * 4);
    Weights8 w = grid_run8(iq1_grid, each(byte_at(first, part)) | (more & 7) << 8, 1.0);
    vec2 delta = 0.125 - 0.25 * vec2(more >> 3 & 1);
    [[unroll]] for (uint j = 0; j < 8; ++j) w.w[j] += delta;
    return w;
}

vec2 factor(uint first, uint part) {
    uint scale = 0;
    [[unroll]] for (uint i = 0; i < 4; ++i) scale |= (word(first, 24 + i) >> 12 & 0x000f000fu) << (4 * i);
    uint s = word(first, 24 + part / 8) >> (part / 2 % 4 * 3) & 0x00070007u;
    return unpackHalf2x16(scale) * (2.0 * numbers(s, 0, 3, 0.0) + 1.0);
}
