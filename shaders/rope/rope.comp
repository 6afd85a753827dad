// Rotary embedding (Su et al. 2021) of q and k, which turns element i of a head with element i + head_dim / 2, and the
// store of k and v into their slots of the KV cache. Some heads of one row a workgroup: along y first the heads of q,
// then those of k, then those of v. An invocation turns pairs of q, and stores runs of k or v, each element of which it
// turns by itself.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "../attention/cache.glsl"
#include "rope.h"
PUSH(RopeParams);

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint heads_at_once = 1;

void turn_query(uint row, uint head) {
    uint pairs = p.head_dim / 2, angle = at(positions)[row] * p.head_dim;
    for (uint i = gl_LocalInvocationIndex; i < pairs; i += gl_WorkGroupSize.x) {
        float cosine = at(angles)[angle + 2 * i], sine = at(angles)[angle + 2 * i + 1];
        uint from = row * p.q_row + p.q_first + head * p.head_dim + i, to = (row * p.heads + head) * p.head_dim + i;
        float a = at(q)[from], b = at(q)[from + pairs];
        at(turned)[to] = a * cosine - b * sine;
        at(turned)[to + pairs] = b * cosine + a * sine;
    }
}

// Element i of the head that starts at `from`, turned.
float turned_key(uint from, uint angle, uint i) {
    uint pairs = p.head_dim / 2, pair = i % pairs;
    float cosine = at(angles)[angle + 2 * pair], sine = at(angles)[angle + 2 * pair + 1];
    float own = at(k)[from + i];
    return i < pairs ? own * cosine - at(k)[from + i + pairs] * sine : own * cosine + at(k)[from + pair] * sine;
}

void store_key_or_value(uint row, uint kv_head, bool is_key) {
    uint slot = at(slots)[row];
    uint from = (is_key ? row * p.k_row + p.k_first : row * p.v_row + p.v_first) + kv_head * p.head_dim;
    uint angle = at(positions)[row] * p.head_dim;
    uint part = (slot / block_slots * p.kv_heads + kv_head) * cache_part_elements(p.head_dim);
    uint to = slot % block_slots * p.head_dim;
    for (uint i = gl_LocalInvocationIndex * cache_run; i < p.head_dim; i += gl_WorkGroupSize.x * cache_run) {
        float x[cache_run];
        if (is_key) {
            [[unroll]] for (uint j = 0; j < cache_run; ++j) x[j] = turned_key(from, angle, i + j);
            cache_store(keys, part, p.head_dim, to + i, x);
        } else {
            [[unroll]] for (uint j = 0; j < cache_run; ++j) x[j] = at(v)[from + i + j];
            cache_store(values, part, p.head_dim, to + i, x);
        }
    }
}

void main() {
    uint row = gl_WorkGroupID.x, first = gl_WorkGroupID.y * heads_at_once;
    for (uint head = first; head < first + heads_at_once; ++head)
        if (head < p.heads)
            turn_query(row, head);
        else
            store_key_or_value(row, (head - p.heads) % p.kv_heads, head - p.heads < p.kv_heads);
}
