// Weights 2i and 2i + 1 of eight 5-bit ones, a byte each: their low nibbles are those of `bytes` from bit 0 or 4 on, and
// bit 2i, 2i + 1 of both halves of `fifths` their highest bits.
uint five_bits(uint bytes, uint lowest, uint fifths, uint i) {
    return bytes >> lowest & 0x0f0f0f0fu | (fifths >> (2 * i) & 0x00010001u) << 4 | (fifths >> (2 * i + 1) & 0x00010001u) << 12;
}
