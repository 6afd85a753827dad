// Copies single logits. An invocation has one.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "sample.h"
PUSH(PickParams);

layout(local_size_x_id = 0) in;

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= p.count) return;
    LogitPlace place = at(places)[i];
    at(picked)[i] = at(logits)[place.row * p.vocabulary + place.token];
}
