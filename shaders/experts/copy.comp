// Copies experts from host memory to their slots: an expert a row of workgroups.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "experts.h"
PUSH(CopyParams);

layout(local_size_x_id = 0) in;

void main() {
    ExpertCopy copy = at(copies)[gl_WorkGroupID.y];
    uint from = copy.expert * p.words, to = copy.slot * p.slot_words;
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    for (uint i = gl_WorkGroupID.x * gl_WorkGroupSize.x + gl_LocalInvocationIndex; i < p.words; i += stride)
        at(pool)[to + i] = at(store)[from + i];
}
