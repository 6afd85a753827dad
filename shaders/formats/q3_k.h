// 3-bit weights in blocks of 256: w = scale * (s - 32) * (q - 4) with 6 bits s per 16 weights. 32 bytes of highest bits,
// 64 bytes of bit pairs as in Q2_K, 12 bytes s, the f16 scale. Bit r of the first bytes belongs to run r of 32 weights.
// Of s, 8 bytes hold the low nibbles, 0 to 7 in the low ones, and 4 bytes the bit pairs above, four to a byte.
const uint block_size = 256, block_units = 55, unit_words = 1, factor_span = 16;

uint integers(uint first, uint part, uint i) {
    uint run = part / 4, high = part % 4 * 4, low = 16 + run / 4 * 16 + high;
    uint pairs = word(first, low + i) >> (2 * (run % 4)) & 0x03030303u;
    return pairs | (word(first, high + i) >> run & 0x01010101u) << 2;
}

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = integers(first, part, i);
        w.w[2 * i] = numbers(q, 0, 8, 4.0);
        w.w[2 * i + 1] = numbers(q, 8, 8, 4.0);
    }
    return w;
}

vec2 factor(uint first, uint part) {
    uint i = part / 2;
    uint nibble = byte_at(first, 96 + i % 8) >> (4 * (i / 8)) & 0x000f000fu;
    uint pair = byte_at(first, 104 + i % 4) >> (2 * (i / 4)) & 0x00030003u;
    return half_at(first, 54) * numbers(nibble | pair << 4, 0, 8, 32.0);
}

const uint integer_span = 16;
const int integer_offset = 4;
const bool has_minimum = false;
vec2 integer_scale(uint first, uint part) { return factor(first, part); }
vec2 integer_minimum(uint first, uint part) { return vec2(0.0); }
