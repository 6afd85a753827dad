// Row tokens[r] of the embedding becomes row r of y: one workgroup a row, 8 elements at a time.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "../formats/unit.glsl"
#include "embed.h"
PUSH(EmbedParams);
#include "../formats/format.glsl"

layout(local_size_x_id = 0) in;

void main() {
    uint row = gl_WorkGroupID.x;
    uint first = first_unit(at(tokens)[row], p.dim);
    for (uint i = gl_LocalInvocationIndex; i < p.dim / 8; i += gl_WorkGroupSize.x) {
        Weights8 w = decode(first + i * 8 / block_size * block_units * panel_rows, i % (block_size / 8));
        at(y)[(row * p.dim + 8 * i) / 4] = w.lo;
        at(y)[(row * p.dim + 8 * i) / 4 + 1] = w.hi;
    }
}
