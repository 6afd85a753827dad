// 4-bit weights in blocks of 32 that share an f16 scale: w = scale * (q - 8). Scale, then 16 bytes whose low
// nibbles are weights 0 to 15 and whose high nibbles are weights 16 to 31.
const uint block_size = 32, block_units = 9;

Weights8 decode(uint first, uint part) {
    float scale = half_to_float(unit(first, 0));
    uint bytes = 1 + 4 * (part % 2), shift = 4 * (part / 2);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 2; ++i) {
        uint lo = unit(first, bytes + i) >> shift, hi = unit(first, bytes + 2 + i) >> shift;
        w.lo[2 * i] = scale * (float(lo & 15u) - 8.0);
        w.lo[2 * i + 1] = scale * (float(lo >> 8 & 15u) - 8.0);
        w.hi[2 * i] = scale * (float(hi & 15u) - 8.0);
        w.hi[2 * i + 1] = scale * (float(hi >> 8 & 15u) - 8.0);
    }
    return w;
}
