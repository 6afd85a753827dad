// OCP Microscaling: 4-bit floats (E2M1) in blocks of 32 that share a power of two, 2^(e - 127): a byte e, then 16 bytes as
// in Q4_0. Two blocks are taken for one, since 17 bytes are not whole units.
const uint block_size = 64, block_units = 17, unit_words = 1, factor_span = 32;
#include "e2m1.glsl"

Weights8 decode(uint first, uint part) {
    bool odd = part < 4;  // the first 16 bytes begin in the middle of a unit
    uint unit = (odd ? 0 : 9) + part % 2 * 4, lowest = 4 * (part % 4 / 2);
    Weights8 w;
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint q = word(first, unit + i);
        if (odd) q = q >> 8 & 0x00ff00ffu | word(first, unit + i + 1) << 8 & 0xff00ff00u;
        w.w[2 * i] = half_e2m1(q, lowest);
        w.w[2 * i + 1] = half_e2m1(q, 8 + lowest);
    }
    return w;
}

// 2^(e - 126), which is no subnormal number that a device might take for 0; infinite above 2^127.
vec2 factor(uint first, uint part) {
    return uintBitsToFloat(min(each(byte_at(first, part / 4 * 17)) + 1, uvec2(255)) << 23);
}
