// Row rows[r] of x becomes row r of y, one workgroup a row.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "gather.h"
PUSH(GatherParams);

layout(local_size_x_id = 0) in;

void main() {
    uint from = at(rows)[gl_WorkGroupID.x] * p.dim, to = gl_WorkGroupID.x * p.dim;
    for (uint i = gl_LocalInvocationIndex; i < p.dim; i += gl_WorkGroupSize.x) at(y)[to + i] = at(x)[from + i];
}
