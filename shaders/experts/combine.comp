// x += the sum of what a token's experts gave, each times its weight: one token a workgroup.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "experts.h"
PUSH(CombineParams);

layout(local_size_x_id = 0) in;

void main() {
    uint token = gl_WorkGroupID.x;
    for (uint i = gl_LocalInvocationIndex; i < p.dim; i += gl_WorkGroupSize.x) {
        float sum = 0.0;
        for (uint k = 0; k < p.top_k; ++k)
            sum += at(weights)[token * p.top_k + k] * at(y)[(token * p.top_k + k) * p.dim + i];
        at(x)[token * p.dim + i] += sum;
    }
}
