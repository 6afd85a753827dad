// The weight format this variant is compiled for. Rows of a weight lie in panels of 32 side by side, unit by unit
// (shared.h), so that the units of two neighbouring rows, the first of them even, are read together: two 16-bit
// units as one word, the even row's in the lower half, or two words. Each format's file defines
//   block_size    weights in a block, a multiple of 32
//   block_units   units in a block
//   unit_words    words that a unit of both rows takes: 1 or 2
//   factor_span   weights that share a factor which decode() leaves out; 0 if it leaves out none
//   decode(first, part)   weights 8 * part ... 8 * part + 7 of the block of both rows whose first word is `first`
//   factor(first, part)   the factor of both rows that decode() left out of them
// and those whose weights are whole numbers times scales, w = scale * (q - integer_offset) + minimum:
//   integer_span    weights that share a scale: 16 or 32
//   integer_offset  what is to be taken off each q, which is a signed byte
//   has_minimum     whether minima are other than 0
//   integers(first, part, i)   q of weights 8 * part + 2 * i and the next, of both rows: those of the even one in the lower half
//   integer_scale(first, part), integer_minimum(first, part)   of the weights that decode(first, part) gives, of both rows
// F32, F16 and BF16 have no blocks; 32 weights are taken for one.
// Of two neighbouring rows, the even one in x.
struct Weights8 {
    vec2 w[8];
};

// Word of unit i of a row pair whose first word is `first`; a pair of 32-bit units has a second word after it.
#define word(first, i) at(weight)[(first) + (i) * (panel_rows / 2 * unit_words)]

// The number in bits [lowest, lowest + count) of `bits`, less `offset`: moved into the mantissa of a power of two, which is
// exact and spares the shift and the conversion. lowest + count is at most 23.
float number(uint bits, uint lowest, uint count, float offset) {
    uint field = bits & ((1u << count) - 1u) << lowest;
    return uintBitsToFloat(field | (150u - lowest) << 23) - (float(1u << (23u - lowest)) + offset);
}

// The numbers in the lower and the upper half of a word, at the same bits of each.
vec2 numbers(uint halves, uint lowest, uint count, float offset) {
    return vec2(number(halves, lowest, count, offset), number(halves >> 16, lowest, count, offset));
}

// The number in the lower and the upper half of a word.
uvec2 each(uint halves) { return uvec2(halves & 0xffffu, halves >> 16); }

// What lies at byte or unit i of the block of both rows: a byte, in the low byte of each half; an f16; a 32-bit word.
#define byte_at(first, i) (word(first, (i) / 2) >> (8 * ((i) % 2)) & 0x00ff00ffu)
#define half_at(first, i) unpackHalf2x16(word(first, i))
#define word_at(first, i) (each(word(first, i)) | each(word(first, (i) + 1)) << 16)

#include "formats.glsl"  // the format's file, chosen by a list that the build writes

const uint block_words = block_units * unit_words * panel_rows / 2;  // from a block of a row to its next

// Index of the first word of block 0 of rows `row` and row + 1 of `in_dim` weights; row is even.
uint first_word(uint row, uint in_dim) {
    return row / panel_rows * (in_dim / block_size * block_words) + row % panel_rows / 2 * unit_words;
}

// decode() with the factor put in.
Weights8 decode_whole(uint first, uint part) {
    Weights8 w = decode(first, part);
    if (factor_span != 0) {
        vec2 f = factor(first, part);
        [[unroll]] for (uint i = 0; i < 8; ++i) w.w[i] *= f;
    }
    return w;
}
