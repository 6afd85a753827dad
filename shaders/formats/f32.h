// IEEE single precision.
const uint block_size = 32, block_units = 32, unit_words = 2, factor_span = 0;

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 8; ++i)
        w.w[i] = uintBitsToFloat(uvec2(word(first, 8 * part + i), word(first + 1, 8 * part + i)));
    return w;
}

vec2 factor(uint first, uint part) { return vec2(1.0); }
