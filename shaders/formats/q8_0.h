// 8-bit weights in blocks of 32 that share an f16 scale: w = scale * q. Scale, then 32 signed bytes.
const uint block_size = 32, block_units = 17;

Weights8 decode(uint first, uint part) {
    float scale = half_to_float(unit(first, 0));
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 2; ++i) {
        int lo = int(unit(first, 1 + 4 * part + i)), hi = int(unit(first, 3 + 4 * part + i));
        w.lo[2 * i] = scale * float(bitfieldExtract(lo, 0, 8));
        w.lo[2 * i + 1] = scale * float(bitfieldExtract(lo, 8, 8));
        w.hi[2 * i] = scale * float(bitfieldExtract(hi, 0, 8));
        w.hi[2 * i + 1] = scale * float(bitfieldExtract(hi, 8, 8));
    }
    return w;
}
