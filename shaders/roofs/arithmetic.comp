// Multiplies and adds in chains of which none waits for another; every sum is written, so that none can be left out.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#ifdef NUMBER_S8
#extension GL_EXT_integer_dot_product : require
#endif
#include "roofs.h"
PUSH(ArithmeticParams);

layout(local_size_x_id = 0) in;

#if defined(NUMBER_F32)
#define Sum vec4
#define advance(sum) fma(sum, vec4(p.factor), vec4(p.addend))
#define total(sum) (sum.x + sum.y + sum.z + sum.w)
#elif defined(NUMBER_F16)
#define Sum f16vec4
#define advance(sum) fma(sum, f16vec4(p.factor), f16vec4(p.addend))
#define total(sum) float(sum.x + sum.y + sum.z + sum.w)
#elif defined(NUMBER_S8)
// Four products of bytes are added to each 32-bit sum.
#define Sum ivec4
int bytes = int(floatBitsToUint(p.factor));
ivec4 advance(ivec4 sum) {
    return ivec4(dotPacked4x8EXT(sum.x, bytes) + sum.x, dotPacked4x8EXT(sum.y, bytes) + sum.y,
                 dotPacked4x8EXT(sum.z, bytes) + sum.z, dotPacked4x8EXT(sum.w, bytes) + sum.w);
}
#define total(sum) float(sum.x + sum.y + sum.z + sum.w)
#endif

void main() {
    Sum sum[roof_chains];
    [[unroll]] for (uint i = 0; i < roof_chains; ++i) sum[i] = Sum(gl_LocalInvocationIndex % 8 + i);
    for (uint round = 0; round < p.rounds; ++round)
        [[unroll]] for (uint repeat = 0; repeat < 8; ++repeat)
            [[unroll]] for (uint i = 0; i < roof_chains; ++i) sum[i] = advance(sum[i]);
    float all = 0.0;
    [[unroll]] for (uint i = 0; i < roof_chains; ++i) all += total(sum[i]);
    at(sums)[gl_GlobalInvocationID.x] = all;
}
