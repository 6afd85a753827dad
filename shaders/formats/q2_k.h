// 2-bit weights in blocks of 256: w = scale * s * q - minimum * m with a byte per 16 weights, s in its low nibble and m
// in the high one. These 16 bytes, 64 bytes of quanta, scale and minimum in f16. Each half of 128 weights lays four
// runs of 32 into the bit pairs of 32 bytes.
const uint block_size = 256, block_units = 42, unit_words = 1, factor_span = 0;

Weights8 decode(uint first, uint part) {
    uint run = part % 16 / 4, byte = 16 + part / 16 * 32 + part % 4 * 8, s_and_m = byte_at(first, part / 2);
    vec2 scale = half_at(first, 40) * numbers(s_and_m, 0, 4, 0.0), minimum = half_at(first, 41) * numbers(s_and_m, 4, 4, 0.0);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = word(first, byte / 2 + i);
        w.w[2 * i] = scale * numbers(q, 2 * run, 2, 0.0) - minimum;
        w.w[2 * i + 1] = scale * numbers(q, 8 + 2 * run, 2, 0.0) - minimum;
    }
    return w;
}

vec2 factor(uint first, uint part) { return vec2(1.0); }

const uint integer_span = 16;
const int integer_offset = 0;
const bool has_minimum = true;
uint integers(uint first, uint part, uint i) {
    return word(first, 8 + part / 16 * 16 + part % 4 * 4 + i) >> (2 * (part % 16 / 4)) & 0x03030303u;
}
vec2 integer_scale(uint first, uint part) { return half_at(first, 40) * numbers(byte_at(first, part / 2), 0, 4, 0.0); }
vec2 integer_minimum(uint first, uint part) { return -half_at(first, 41) * numbers(byte_at(first, part / 2), 4, 4, 0.0); }
