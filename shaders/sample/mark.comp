// Marks tokens as seen by their sequences. An invocation has a mark; several may meet in a word.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "sample.h"
PUSH(MarkParams);

layout(local_size_x_id = 0) in;

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= p.count) return;
    SeenMark mark = at(marks)[i];
    uint token = at(tokens)[mark.row];
    atomicOr(at(seen)[mark.choice_row * p.seen_words + token / 32], 1u << token % 32);
}
