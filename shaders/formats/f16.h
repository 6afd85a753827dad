// IEEE half precision.
const uint block_size = 32, block_units = 32;

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        w.lo[i] = half_to_float(unit(first, 8 * part + i));
        w.hi[i] = half_to_float(unit(first, 8 * part + 4 + i));
    }
    return w;
}
