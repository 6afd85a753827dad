// Weights -1, 0, 1 in blocks of 256 that share an f16 scale: w = scale * (q - 1). 64 bytes of bit pairs as in Q2_K, the
// scale.
const uint block_size = 256, block_units = 33, unit_words = 1, factor_span = 32;

Weights8 decode(uint first, uint part) {
    uint run = part % 16 / 4, byte = part / 16 * 32 + part % 4 * 8;
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = word(first, byte / 2 + i);
        w.w[2 * i] = numbers(q, 2 * run, 2, 1.0);
        w.w[2 * i + 1] = numbers(q, 8 + 2 * run, 2, 1.0);
    }
    return w;
}

vec2 factor(uint first, uint part) { return half_at(first, 32); }
