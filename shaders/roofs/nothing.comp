// An empty dispatch, as far as a device can tell beforehand.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "roofs.h"
PUSH(NothingParams);

layout(local_size_x = 1) in;

void main() {
    if (p.value != 0) at(written)[0] = p.value;
}
