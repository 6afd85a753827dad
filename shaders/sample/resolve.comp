// The tokens of a step, those that only the device knows filled in. An invocation has a token.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "sample.h"
PUSH(ResolveParams);

layout(local_size_x_id = 0) in;

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= p.count) return;
    uint token = at(tokens)[i];
    at(resolved)[i] = (token & chosen_flag) != 0 ? at(chosen)[token & ~chosen_flag] : token;
}
