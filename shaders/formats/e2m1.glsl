// Half of the numbers that 4 bits of both halves hold, from bit `lowest` on, as a sign, two bits of exponent and one of
// mantissa: 0 1/2 1 3/2 2 3 4 6, or these negated.
vec2 half_e2m1(uint bits, uint lowest) {
    vec2 m = numbers(bits, lowest, 3, 0.0);
    vec2 magnitude = max(0.25 * m, max(0.5 * m - 1.0, m - 4.0));
    uvec2 sign = uvec2(bits >> (lowest + 3), bits >> (lowest + 19)) << 31;
    return uintBitsToFloat(floatBitsToUint(magnitude) | sign);
}
