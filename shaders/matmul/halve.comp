// x in halves with a scale for each row, see HalveParams; one workgroup a row.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "matmul.h"
PUSH(HalveParams);

layout(local_size_x_id = 0) in;
shared float greatest[gl_WorkGroupSize.x];  // one per subgroup; a subgroup may be one invocation

void main() {
    uint row = gl_WorkGroupID.x, first = row * p.dim;
#if defined(ROWS_GROUPED)
    first = at(order)[row] / p.x_share * p.dim;
#endif
    float mine = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < p.dim; i += gl_WorkGroupSize.x) mine = max(mine, abs(at(x)[first + i]));
    mine = subgroupMax(mine);
    if (subgroupElect()) greatest[gl_SubgroupID] = mine;
    barrier();
    for (uint s = 0; s < gl_NumSubgroups; ++s) mine = max(mine, greatest[s]);

    // The power of two below the greatest is 2^exponent. Neither the scale nor its inverse is subnormal or infinite.
    int exponent = clamp(int(floatBitsToUint(mine) >> 23) - 127, -112, 127);
    float inverse = uintBitsToFloat(uint(127 + 14 - exponent) << 23);
    if (gl_LocalInvocationIndex == 0) at(scales)[row] = uintBitsToFloat(uint(127 - 14 + exponent) << 23);
    for (uint i = gl_LocalInvocationIndex; i < p.dim / 2; i += gl_WorkGroupSize.x)
        at(halves)[row * (p.dim / 2) + i] = packHalf2x16(inverse * vec2(at(x)[first + 2 * i], at(x)[first + 2 * i + 1]));
}
