// Rotary embedding (Su et al. 2021) of q and k, which turns element i of a head with element i + head_dim / 2, and the
// store of k and v into their slots of the KV cache. One head of one row a workgroup: along y first the heads of q,
// then those of k, then those of v.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "../attention/cache.glsl"
#include "rope.h"
PUSH(RopeParams);

layout(local_size_x_id = 0) in;

void main() {
    uint row = gl_WorkGroupID.x, head = gl_WorkGroupID.y, pairs = p.head_dim / 2;
    uint slot = at(slots)[row], angle = at(positions)[row] * p.head_dim;
    for (uint i = gl_LocalInvocationIndex; i < pairs; i += gl_WorkGroupSize.x) {
        vec2 turn = vec2(at(angles)[angle + 2 * i], at(angles)[angle + 2 * i + 1]);
        if (head < p.heads) {
            uint from = (row * p.heads + head) * p.head_dim + i;
            float a = at(q)[from], b = at(q)[from + pairs];
            at(q)[from] = a * turn.x - b * turn.y;
            at(q)[from + pairs] = b * turn.x + a * turn.y;
        } else if (head < p.heads + p.kv_heads) {
            uint kv_head = head - p.heads;
            uint from = (row * p.kv_heads + kv_head) * p.head_dim + i;
            uint to = cache_row(slot, kv_head, p.kv_heads, p.head_dim) + i;
            float a = at(k)[from], b = at(k)[from + pairs];
            at(keys)[to] = to_cache(a * turn.x - b * turn.y);
            at(keys)[to + pairs] = to_cache(b * turn.x + a * turn.y);
        } else {
            uint kv_head = head - p.heads - p.kv_heads;
            uint from = (row * p.kv_heads + kv_head) * p.head_dim + i;
            uint to = cache_row(slot, kv_head, p.kv_heads, p.head_dim) + i;
            at(values)[to] = to_cache(at(v)[from]);
            at(values)[to + pairs] = to_cache(at(v)[from + pairs]);
        }
    }
}
