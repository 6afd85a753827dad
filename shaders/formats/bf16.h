// bfloat16: the upper half of a float.
const uint block_size = 32, block_units = 32, unit_words = 1, factor_span = 0;

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        uint both = word(first, 8 * part + i);
        w.w[i] = uintBitsToFloat(uvec2(both << 16, both & 0xffff0000u));
    }
    return w;
}

vec2 factor(uint first, uint part) { return vec2(1.0); }
