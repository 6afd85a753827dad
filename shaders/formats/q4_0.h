// 4-bit weights in blocks of 32 that share an f16 scale: w = scale * (q - 8). Scale, then 16 bytes whose low
// nibbles are weights 0 to 15 and whose high nibbles are weights 16 to 31.
const uint block_size = 32, block_units = 9, unit_words = 1, factor_span = 32;

Weights8 decode(uint first, uint part) {
    uint lowest = 4 * (part / 2);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint bytes = word(first, 1 + 4 * (part % 2) + i);
        w.w[2 * i] = numbers(bytes, lowest, 4, 8.0);
        w.w[2 * i + 1] = numbers(bytes, 8 + lowest, 4, 8.0);
    }
    return w;
}

vec2 factor(uint first, uint part) { return half_at(first, 0); }

const uint integer_span = 32;
const int integer_offset = 8;
const bool has_minimum = false;
uint integers(uint first, uint part, uint i) { return word(first, 1 + 4 * (part % 2) + i) >> (4 * (part / 2)) & 0x0f0f0f0fu; }
vec2 integer_scale(uint first, uint part) { return factor(first, part); }
vec2 integer_minimum(uint first, uint part) { return vec2(0.0); }
