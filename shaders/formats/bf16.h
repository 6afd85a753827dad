// bfloat16: the upper half of a float.
const uint block_size = 32, block_units = 32;

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        w.lo[i] = uintBitsToFloat(unit(first, 8 * part + i) << 16);
        w.hi[i] = uintBitsToFloat(unit(first, 8 * part + 4 + i) << 16);
    }
    return w;
}
