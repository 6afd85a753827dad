// Attention over a paged KV cache, causal and with a sliding window, for query tokens of many sequences at once, with
// the softmax computed on the fly (Milakov & Gimelshein 2018; Dao et al. 2022).
//
// A workgroup serves one key-value head of one tile of query tokens: its query rows are the (token, head) pairs that
// read this head. lanes invocations share a row, each holding every lanes-th four elements of the head, so that
// rows_per_group = workgroup / lanes. All rows walk the same keys. Along x tiles * chunks, y key-value heads, z splits.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "cache.glsl"
#include "attention.h"
PUSH(AttentionParams);

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint lanes = 8;      // a power of two, at most a subgroup
layout(constant_id = 2) const uint head_dim = 128;
const uint head_quads = head_dim / 4;  // four elements each
const uint quads = (head_quads + lanes - 1) / lanes;  // of a head, per invocation
const uint keys_at_once = 4;
const float lowest = -3.0e38;  // stands for minus infinity, whose differences would be NaN

// Sum over the invocations that share a row.
float sum_over_lanes(float value) {
    for (uint step = 1; step < lanes; step *= 2) value += subgroupShuffleXor(value, step);
    return value;
}

void main() {
    QueryTile tile = at(tiles)[gl_WorkGroupID.x / p.chunks];
    uint kv_head = gl_WorkGroupID.y, split = gl_WorkGroupID.z;
    uint group = p.heads / p.kv_heads;  // query heads that read one key-value head
    uint lane = gl_LocalInvocationIndex % lanes;
    uint query = gl_WorkGroupID.x % p.chunks * (gl_WorkGroupSize.x / lanes) + gl_LocalInvocationIndex / lanes;
    bool active_row = query < tile.tokens * group;
    query = min(query, tile.tokens * group - 1);  // idle rows repeat the last one and store nothing
    uint token = query / group, head = kv_head * group + query % group;
    uint position = tile.first_position + token;

    // Keys that some row of this workgroup sees, and of those this split's.
    uint last_position = tile.first_position + tile.tokens - 1;
    uint begin = p.window == 0 || tile.first_position < p.window ? 0 : tile.first_position - p.window + 1;
    uint end = min(last_position + 1, (split + 1) * p.split_keys);
    begin = max(begin / block_slots * block_slots, split * p.split_keys);

    uint q_row = ((tile.first_row + token) * p.heads + head) * head_quads;
    vec4 q[quads], sum[quads];
    [[unroll]] for (uint i = 0; i < quads; ++i) {
        uint d = i * lanes + lane;
        q[i] = d < head_quads ? at(q)[q_row + d] * p.scale : vec4(0.0);
        sum[i] = vec4(0.0);
    }
    float greatest = lowest, weights = 0.0;

    for (uint key = begin; key < end; key += keys_at_once) {
        // Some CPU implementations run the body once more with every invocation off, so it must name a valid block then too.
        uint block = at(block_tables)[tile.sequence * p.table_stride + min(key, end - 1) / block_slots];
        uint part = (block * p.kv_heads + kv_head) * cache_part_quads(head_dim), first = key % block_slots * head_quads;

        float score[keys_at_once];
        [[unroll]] for (uint j = 0; j < keys_at_once; ++j) score[j] = 0.0;
        [[unroll]] for (uint i = 0; i < quads; ++i) {
            uint d = min(i * lanes + lane, head_quads - 1);
            [[unroll]] for (uint j = 0; j < keys_at_once; ++j)
                score[j] += dot(q[i], cache_quad(keys, part, head_dim, first + j * head_quads + d));
        }
        float new_greatest = greatest;
        bool seen[keys_at_once];
        [[unroll]] for (uint j = 0; j < keys_at_once; ++j) {
            score[j] = sum_over_lanes(score[j]);
            seen[j] = key + j <= position && key + j < end && (p.window == 0 || position - (key + j) < p.window);
            if (seen[j]) new_greatest = max(new_greatest, score[j]);
        }
        float shrink = exp(greatest - new_greatest);
        greatest = new_greatest;
        weights *= shrink;
        float weight[keys_at_once];
        [[unroll]] for (uint j = 0; j < keys_at_once; ++j) {
            weight[j] = seen[j] ? exp(score[j] - greatest) : 0.0;
            weights += weight[j];
        }
        [[unroll]] for (uint i = 0; i < quads; ++i) {
            uint d = min(i * lanes + lane, head_quads - 1);
            sum[i] *= shrink;
            // A slot never written may hold anything, NaN too, so what is not seen is not touched.
            [[unroll]] for (uint j = 0; j < keys_at_once; ++j)
                sum[i] += seen[j] ? weight[j] * cache_quad(values, part, head_dim, first + j * head_quads + d) : vec4(0.0);
        }
    }
    if (!active_row) return;

    uint out_row = (tile.first_row + token) * p.heads + head;
    uint partial = (split * p.rows * p.heads + out_row) * (2 * head_quads + 1);
    [[unroll]] for (uint i = 0; i < quads; ++i) {
        uint d = i * lanes + lane;
        if (d >= head_quads) continue;
        if (p.splits == 1) {
            at(y)[out_row * head_quads + d] = sum[i] / weights;
        } else {
            at(partials)[partial + 2 * d] = sum[i].xy;
            at(partials)[partial + 2 * d + 1] = sum[i].zw;
        }
    }
    if (p.splits > 1 && lane == 0) at(partials)[partial + 2 * head_quads] = vec2(greatest, weights);
}
