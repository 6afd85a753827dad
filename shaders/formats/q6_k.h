// 6-bit weights in blocks of 256: w = scale * s * (q - 32) with a signed byte s per 16 weights. 128 bytes of low
// nibbles, 64 bytes of high bit pairs, 16 bytes s, the f16 scale. Each half of 128 weights interleaves four runs
// of 32: runs 0 and 1 in the low nibbles, 2 and 3 in the high ones, their upper bits in four pairs of one byte.
const uint block_size = 256, block_units = 105;

Weights8 decode(uint first, uint part) {
    uint half_block = part / 16, run = part % 16 / 4, byte = part % 4 * 8;
    uint s_index = 8 * half_block + 2 * run + byte / 16;
    int s = bitfieldExtract(int(unit(first, 96 + s_index / 2)), 8 * int(s_index % 2), 8);
    float scale = half_to_float(unit(first, 104)) * float(s);
    uint low = (64 * half_block + 32 * (run % 2) + byte) / 2, high = 64 + (32 * half_block + byte) / 2;
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint nibbles = unit(first, low + i) >> (4 * (run / 2)) & 0x0f0fu;
        uint pairs = unit(first, high + i) >> (2 * run) & 0x0303u;
        uint q = nibbles | pairs << 4;
        float w0 = scale * (float(q & 0xffu) - 32.0), w1 = scale * (float(q >> 8) - 32.0);
        if (i < 2) {
            w.lo[2 * i] = w0;
            w.lo[2 * i + 1] = w1;
        } else {
            w.hi[2 * i - 4] = w0;
            w.hi[2 * i - 3] = w1;
        }
    }
    return w;
}
