// Blocks of Q4_K and Q5_K begin with f16 scale and minimum and 12 bytes of 6-bit numbers s and m for each run of 32
// weights: s of runs 0 to 3 in the low six bits of bytes 0 to 3, m of bytes 4 to 7; of runs 4 to 7 the low nibbles in
// bytes 8 to 11, s in the low ones, and their upper bit pairs atop bytes 0 to 7.
void scale_and_minimum(uint first, uint run, out vec2 scale, out vec2 minimum) {
    uint a = byte_at(first, 4 + run % 4), b = byte_at(first, 8 + run % 4), c = byte_at(first, 12 + run % 4);
    uint s = run < 4 ? a & 0x003f003fu : c & 0x000f000fu | a >> 2 & 0x00300030u;
    uint m = run < 4 ? b & 0x003f003fu : c >> 4 & 0x000f000fu | b >> 2 & 0x00300030u;
    scale = half_at(first, 0) * numbers(s, 0, 8, 0.0);
    minimum = half_at(first, 1) * numbers(m, 0, 8, 0.0);
}

vec2 integer_scale(uint first, uint part) {
    vec2 scale, minimum;
    scale_and_minimum(first, part / 4, scale, minimum);
    return scale;
}
vec2 integer_minimum(uint first, uint part) {
    vec2 scale, minimum;
    scale_and_minimum(first, part / 4, scale, minimum);
    return -minimum;
}
