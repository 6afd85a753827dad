// 4-bit weights in blocks of 32: w = scale * q + minimum. Both in f16, then 16 bytes as in Q4_0.
const uint block_size = 32, block_units = 10, unit_words = 1, factor_span = 0;

Weights8 decode(uint first, uint part) {
    vec2 scale = half_at(first, 0), minimum = half_at(first, 1);
    uint lowest = 4 * (part / 2);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint bytes = word(first, 2 + 4 * (part % 2) + i);
        w.w[2 * i] = scale * numbers(bytes, lowest, 4, 0.0) + minimum;
        w.w[2 * i + 1] = scale * numbers(bytes, 8 + lowest, 4, 0.0) + minimum;
    }
    return w;
}

vec2 factor(uint first, uint part) { return vec2(1.0); }

const uint integer_span = 32;
const int integer_offset = 0;
const bool has_minimum = true;
uint integers(uint first, uint part, uint i) { return word(first, 2 + 4 * (part % 2) + i) >> (4 * (part / 2)) & 0x0f0f0f0fu; }
vec2 integer_scale(uint first, uint part) { return half_at(first, 0); }
vec2 integer_minimum(uint first, uint part) { return half_at(first, 1); }
