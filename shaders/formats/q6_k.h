// 6-bit weights in blocks of 256: w = scale * s * (q - 32) with a signed byte s per 16 weights. 128 bytes of low
// nibbles, 64 bytes of high bit pairs, 16 bytes s, the f16 scale. Each half of 128 weights interleaves four runs
// of 32: runs 0 and 1 in the low nibbles, 2 and 3 in the high ones, their upper bits in four pairs of one byte.
const uint block_size = 256, block_units = 105, unit_words = 1, factor_span = 16;

uint integers(uint first, uint part, uint i) {
    uint half_block = part / 16, run = part % 16 / 4, byte = part % 4 * 8;
    uint low = (64 * half_block + 32 * (run % 2) + byte) / 2, high = 64 + (32 * half_block + byte) / 2;
    uint nibbles = word(first, low + i) >> (4 * (run / 2)) & 0x0f0f0f0fu;
    return nibbles | (word(first, high + i) >> (2 * run) & 0x03030303u) << 4;
}

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint bytes = integers(first, part, i);
        w.w[2 * i] = numbers(bytes, 0, 8, 32.0);
        w.w[2 * i + 1] = numbers(bytes, 8, 8, 32.0);
    }
    return w;
}

vec2 factor(uint first, uint part) {
    uint s_index = part / 2;
    uint s = byte_at(first, 192 + s_index) ^ 0x00800080u;  // s + 128
    return half_at(first, 104) * numbers(s, 0, 8, 128.0);
}

const uint integer_span = 16;
const int integer_offset = 32;
const bool has_minimum = false;
vec2 integer_scale(uint first, uint part) { return factor(first, part); }
vec2 integer_minimum(uint first, uint part) { return vec2(0.0); }
