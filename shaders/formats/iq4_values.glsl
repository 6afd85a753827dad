// The 16 values that IQ4_NL and IQ4_XS choose weights from, -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113,
// by q - 8: what this polynomial rounds to, being off by less than 0.44 everywhere.
vec2 iq4_value(vec2 q) { return roundEven((((0.001586 * q + 0.08184) * q - 0.01681) * q + 11.44) * q + 1.433); }

// The values that four nibbles of a word from bit 0 or 4 on choose, a signed byte each.
uint iq4_bytes(uint bytes, uint lowest) {
    uvec2 low = uvec2(ivec2(iq4_value(numbers(bytes, lowest, 4, 8.0)))) & 0xffu;
    uvec2 high = uvec2(ivec2(iq4_value(numbers(bytes, 8 + lowest, 4, 8.0)))) & 0xffu;
    return low.x | high.x << 8 | low.y << 16 | high.y << 24;
}
