// SwiGLU (Shazeer 2020): y = silu(gate) * up, one element an invocation.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "swiglu.h"
PUSH(SwigluParams);

layout(local_size_x_id = 0) in;

void main() {
    uint i = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (i >= p.size) return;
    float gate = at(gate)[i];
    // For a gate far below zero exp overflows to infinity and the quotient is the right limit, 0.
    at(y)[i] = gate / (1.0 + exp(-gate)) * at(up)[i];
}
