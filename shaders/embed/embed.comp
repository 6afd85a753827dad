// Row tokens[r] of the embedding becomes row r of y: one workgroup a row, 8 elements at a time.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "embed.h"
PUSH(EmbedParams);
#include "../formats/format.glsl"

layout(local_size_x_id = 0) in;

void main() {
    uint row = gl_WorkGroupID.x, token = at(tokens)[row];
    uint first = first_word(token / 2 * 2, p.dim);
    for (uint i = gl_LocalInvocationIndex; i < p.dim / 8; i += gl_WorkGroupSize.x) {
        Weights8 pair = decode_whole(first + i * 8 / block_size * block_words, i % (block_size / 8));
        float w[8];
        [[unroll]] for (uint j = 0; j < 8; ++j) w[j] = token % 2 == 0 ? pair.w[j].x : pair.w[j].y;
        at(y)[(row * p.dim + 8 * i) / 4] = vec4(w[0], w[1], w[2], w[3]);
        at(y)[(row * p.dim + 8 * i) / 4 + 1] = vec4(w[4], w[5], w[6], w[7]);
    }
}
