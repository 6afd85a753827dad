// Reads memory once. An invocation takes every workgroup-size-th of its workgroup's run of quads.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "roofs.h"
PUSH(ReadParams);

layout(local_size_x_id = 0) in;

void main() {
    uint first = gl_WorkGroupID.x * gl_WorkGroupSize.x * roof_quads + gl_LocalInvocationIndex;
    vec4 sum = vec4(0.0);
    [[unroll]] for (uint i = 0; i < roof_quads; ++i) {
        uint at_quad = first + i * gl_WorkGroupSize.x;
        if (at_quad < p.quads) sum += at(from)[at_quad];
    }
    if (sum.x + sum.y + sum.z + sum.w == 1.2345e30) at(sums)[0] = sum.x;
}
