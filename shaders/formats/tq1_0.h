// Weights -1, 0, 1 in blocks of 256 that share an f16 scale: w = scale * (digit - 1). A byte b holds up to five digits of
// b / 256 to the base 3, the first one highest. 32 bytes for weights 0 to 159, 16 for 160 to 239 and 4 for the rest: digit
// d of the i-th of n bytes is weight d * n + i of these. Then the scale.
const uint block_size = 256, block_units = 27, unit_words = 1, factor_span = 32;

// The digit that `shift`, a power of 3, brings to the front, of a byte in the low byte of both halves.
vec2 digit_weights(uint byte, uint shift) {
    uint rest = byte * shift & 0x00ff00ffu;
    return numbers(rest * 3, 8, 2, 1.0);
}

uint power_of_3(uint n) { return (n % 2 == 0 ? 1 : 3) * (n / 2 % 2 == 0 ? 1 : 9) * (n < 4 ? 1 : 81); }

Weights8 decode(uint first, uint part) {
    uint byte = part < 20 ? part % 4 * 8 : part < 30 ? 32 + part % 2 * 8 : 48;
    uint digit = part < 20 ? part / 4 : part < 30 ? part / 2 - 10 : 2 * (part - 30);
    uint shift = power_of_3(digit);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        bool second = part >= 30 && i >= 2;  // of the two digits that four bytes bring at the end
        uint both = word(first, byte / 2 + (second ? i - 2 : i));
        w.w[2 * i] = digit_weights(both & 0x00ff00ffu, second ? 3 * shift : shift);
        w.w[2 * i + 1] = digit_weights(both >> 8 & 0x00ff00ffu, second ? 3 * shift : shift);
    }
    return w;
}

vec2 factor(uint first, uint part) { return half_at(first, 26); }
