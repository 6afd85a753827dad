// 8-bit weights in blocks of 32 that share an f16 scale: w = scale * q. Scale, then 32 signed bytes.
const uint block_size = 32, block_units = 17, unit_words = 1, factor_span = 32;

Weights8 decode(uint first, uint part) {
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint bytes = word(first, 1 + 4 * part + i) ^ 0x80808080u;  // q + 128
        w.w[2 * i] = numbers(bytes, 0, 8, 128.0);
        w.w[2 * i + 1] = numbers(bytes, 8, 8, 128.0);
    }
    return w;
}

vec2 factor(uint first, uint part) { return half_at(first, 0); }

const uint integer_span = 32;
const int integer_offset = 0;
const bool has_minimum = false;
uint integers(uint first, uint part, uint i) { return word(first, 1 + 4 * part + i); }
vec2 integer_scale(uint first, uint part) { return factor(first, part); }
vec2 integer_minimum(uint first, uint part) { return vec2(0.0); }
