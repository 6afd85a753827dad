// RMSNorm (Zhang & Sennrich 2019): y = x / sqrt(mean(x^2) + eps) * weight, one workgroup a row.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "rmsnorm.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool one_subgroup = false;  // the workgroup is: CPU implementations are slow at barriers
PUSH(RmsNormParams);

shared float partial[gl_WorkGroupSize.x];  // one per subgroup; a subgroup may be one invocation

float sum_over_subgroups(float sum) {
    if (subgroupElect()) partial[gl_SubgroupID] = sum;
    barrier();
    float total = 0.0;
    for (uint i = 0; i < gl_NumSubgroups; ++i) total += partial[i];
    return total;
}

void main() {
    uint row = gl_WorkGroupID.x * p.dim;

    float sum = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < p.dim; i += gl_WorkGroupSize.x) sum += at(x)[row + i] * at(x)[row + i];

    sum = subgroupAdd(sum);
    if (!one_subgroup) sum = sum_over_subgroups(sum);

    float scale = inversesqrt(sum / float(p.dim) + p.eps);
    for (uint i = gl_LocalInvocationIndex; i < p.dim; i += gl_WorkGroupSize.x)
        at(y)[row + i] = at(x)[row + i] * scale * at(weight)[i];
}
