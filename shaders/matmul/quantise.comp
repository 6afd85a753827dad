// x in bytes with scales, see QuantiseParams; one invocation a block of 32.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "matmul.h"
PUSH(QuantiseParams);

layout(local_size_x_id = 0) in;

const uint least = (127 - 118) << 23, infinity = 255 << 23, not_a_number = 0x7fc00000u;  // bits of f32

void main() {
    uint row = gl_WorkGroupID.x, block = gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    uint blocks = p.dim / 32, from = row;
    if (block >= blocks) return;
#if defined(ROWS_GROUPED)
    from = at(order)[row] / p.x_share;
#endif
    vec4 x[8];
    uint greatest = 0;  // as bits, of which those of a NaN are greatest
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        x[i] = at(x)[(from * blocks + block) * 8 + i];
        uvec4 magnitudes = floatBitsToUint(x[i]) & 0x7fffffffu;
        greatest = max(greatest, max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w)));
    }
    bool usual = greatest >= least && greatest < infinity;
    float scale = uintBitsToFloat(greatest) * (1.0 / 127.0), inverse = 127.0 / uintBitsToFloat(greatest);

    uvec4 bytes[2];
    int sums[2] = {0, 0};
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        ivec4 q = usual ? ivec4(roundEven(x[i] * inverse)) : ivec4(0);
        sums[i / 4] += q.x + q.y + q.z + q.w;
        uvec4 byte = uvec4(q) & 0xffu;
        bytes[i / 4][i % 4] = byte.x | byte.y << 8 | byte.z << 16 | byte.w << 24;
    }
    uint to = row * blocks + block;
    at(bytes)[2 * to] = bytes[0];
    at(bytes)[2 * to + 1] = bytes[1];
    at(scales)[2 * to] = usual ? floatBitsToUint(scale) : greatest < infinity ? 0 : not_a_number;
    at(scales)[2 * to + 1] = uint(sums[0]) & 0xffffu | uint(sums[1]) << 16;
}
