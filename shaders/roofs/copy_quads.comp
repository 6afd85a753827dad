// Copies memory, as read.comp reads it.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "roofs.h"
PUSH(CopyQuadsParams);

layout(local_size_x_id = 0) in;

void main() {
    uint first = gl_WorkGroupID.x * gl_WorkGroupSize.x * roof_quads + gl_LocalInvocationIndex;
    for (uint i = 0; i < roof_quads; ++i) {
        uint at_quad = first + i * gl_WorkGroupSize.x;
        if (at_quad < p.quads) at(to)[at_quad] = at(from)[at_quad];
    }
}
