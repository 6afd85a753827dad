// Attention as in attention.comp, for CPU implementations: no invocation waits for another's sums.
//
// A workgroup is a subgroup and serves tile_rows query rows, the (token, head) pairs of a tile that read one key-value
// head, walking the keys a block at a time. For the scores each invocation takes one key or a few, so that the elements
// of the queries are read at the same address by all; for the weighted sums of values each takes four elements, and the
// weights are handed round. Every key and value read meets all rows, with weight 0 those that do not see it. Since 0 times
// an infinite value is NaN, rows whose sums are not all finite are served again, each alone with the keys that it sees.
// Along x tiles * chunks, y key-value heads, z splits.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "cache.glsl"
#include "attention.h"
PUSH(AttentionParams);

layout(local_size_x_id = 0) in;  // a divisor of block_slots, at most a subgroup
layout(constant_id = 1) const uint tile_rows = 8;
layout(constant_id = 2) const uint head_dim = 128;
const uint lanes = gl_WorkGroupSize.x;
const uint own_keys = block_slots / lanes;                  // of a block, `lanes` apart
const uint head_quads = head_dim / 4;                       // four elements each
const uint chunks = (head_quads + lanes - 1) / lanes;       // of a head's quads, each held by all invocations together
const uint unrolled = head_quads % 8 == 0 ? 8 : 2;          // quads of a key
const uint keys_unrolled = 4;                               // values
const float lowest = -3.0e38;  // stands for minus infinity, whose differences would be NaN

bool is_finite(vec4 x) { return all(lessThan(floatBitsToUint(x) & 0x7fffffffu, uvec4(0x7f800000u))); }

// Serves some rows of a tile, all with the keys that any of them sees. Whether all of their sums are finite.
bool serve(QueryTile tile, uint first_query, uint last_query) {
    uint kv_head = gl_WorkGroupID.y, split = gl_WorkGroupID.z, lane = gl_LocalInvocationIndex;
    uint group = p.heads / p.kv_heads;

    // Rows beyond the last repeat it and store nothing.
    uint position[tile_rows], head_row[tile_rows];
    vec4 sum[tile_rows * chunks];
    float greatest[tile_rows], weights[tile_rows];  // weights: of the keys that were this invocation's
    [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
        uint query = min(first_query + r, last_query), token = query / group;
        position[r] = tile.first_position + token;
        head_row[r] = (tile.first_row + token) * p.heads + kv_head * group + query % group;
        greatest[r] = lowest;
        weights[r] = 0.0;
        [[unroll]] for (uint c = 0; c < chunks; ++c) sum[r * chunks + c] = vec4(0.0);
    }

    // Keys that some of these rows see, and of those this split's. None if there are no rows.
    uint first = p.window == 0 || position[0] < p.window ? 0 : position[0] - p.window + 1;
    uint end = min(position[tile_rows - 1] + 1, (split + 1) * p.split_keys);
    uint begin = max(first / block_slots * block_slots, split * p.split_keys);
    if (first_query > last_query) end = begin;

    for (uint key = begin; key < end; key += block_slots) {
        // Slots that no row sees may hold anything, NaN too: invocations beyond the first or the last key read that one
        // again. The body may run once more with every invocation off, so that it must name a valid block then too.
        uint last = max(end, 1) - 1, inside = min(key, last);
        uint block = at(block_tables)[tile.sequence * p.table_stride + inside / block_slots];
        uint part = (block * p.kv_heads + kv_head) * cache_part_quads(head_dim);
        uint last_slot = min(last - inside, block_slots - 1), first_slot = min(max(first, inside) - inside, last_slot);

        float score[tile_rows * own_keys];
        [[unroll]] for (uint i = 0; i < tile_rows * own_keys; ++i) score[i] = 0.0;
        uint slot[own_keys];
        [[unroll]] for (uint n = 0; n < own_keys; ++n) slot[n] = clamp(n * lanes + lane, first_slot, last_slot);
        for (uint d = 0; d < head_quads; d += unrolled) {
            [[unroll]] for (uint i = 0; i < unrolled; ++i) {
                vec4 k[own_keys];
                [[unroll]] for (uint n = 0; n < own_keys; ++n)
                    k[n] = cache_quad(keys, part, head_dim, slot[n] * head_quads + d + i);
                [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
                    vec4 q = at(q)[head_row[r] * head_quads + d + i];
                    [[unroll]] for (uint n = 0; n < own_keys; ++n)
                        [[unroll]] for (uint e = 0; e < 4; ++e) score[r * own_keys + n] += k[n][e] * q[e];
                }
            }
        }

        float weight[tile_rows * own_keys];
        [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
            bool seen[own_keys];
            float new_greatest = lowest;
            [[unroll]] for (uint n = 0; n < own_keys; ++n) {
                uint k = key + n * lanes + lane;
                seen[n] = k <= position[r] && k < end && (p.window == 0 || position[r] - k < p.window);
                score[r * own_keys + n] = seen[n] ? score[r * own_keys + n] * p.scale : lowest;
                new_greatest = max(new_greatest, score[r * own_keys + n]);
            }
            new_greatest = max(greatest[r], subgroupMax(new_greatest));
            float shrink = exp(greatest[r] - new_greatest);
            greatest[r] = new_greatest;
            weights[r] *= shrink;
            [[unroll]] for (uint n = 0; n < own_keys; ++n) {
                weight[r * own_keys + n] = seen[n] ? exp(score[r * own_keys + n] - new_greatest) : 0.0;
                weights[r] += weight[r * own_keys + n];
            }
            [[unroll]] for (uint c = 0; c < chunks; ++c) sum[r * chunks + c] *= shrink;
        }

        [[unroll]] for (uint n = 0; n < own_keys; ++n) {
            for (uint j = 0; j < lanes; j += keys_unrolled) {
                float w[tile_rows * keys_unrolled];
                [[unroll]] for (uint i = 0; i < keys_unrolled; ++i)
                    [[unroll]] for (uint r = 0; r < tile_rows; ++r)
                        w[i * tile_rows + r] = subgroupShuffle(weight[r * own_keys + n], j + i);
                [[unroll]] for (uint c = 0; c < chunks; ++c) {
                    uint quad = min(c * lanes + lane, head_quads - 1);
                    [[unroll]] for (uint i = 0; i < keys_unrolled; ++i) {
                        uint from = clamp(n * lanes + j + i, first_slot, last_slot);
                        vec4 v = cache_quad(values, part, head_dim, from * head_quads + quad);
                        [[unroll]] for (uint r = 0; r < tile_rows; ++r) sum[r * chunks + c] += v * w[i * tile_rows + r];
                    }
                }
            }
        }
    }

    bool finite = true;
    [[unroll]] for (uint i = 0; i < tile_rows * chunks; ++i) finite = finite && is_finite(sum[i]);
    [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
        if (first_query + r > last_query) continue;
        float total = subgroupAdd(weights[r]);
        uint partial = (split * p.rows * p.heads + head_row[r]) * (2 * head_quads + 1);
        [[unroll]] for (uint c = 0; c < chunks; ++c) {
            uint quad = c * lanes + lane;
            if (quad >= head_quads) continue;
            if (p.splits == 1) {
                at(y)[head_row[r] * head_quads + quad] = sum[r * chunks + c] / total;
            } else {
                at(partials)[partial + 2 * quad] = sum[r * chunks + c].xy;
                at(partials)[partial + 2 * quad + 1] = sum[r * chunks + c].zw;
            }
        }
        if (p.splits > 1 && lane == 0) at(partials)[partial + 2 * head_quads] = vec2(greatest[r], total);
    }
    return subgroupAnd(uint(finite)) != 0;
}

void main() {
    QueryTile tile = at(tiles)[gl_WorkGroupID.x / p.chunks];
    uint query = gl_WorkGroupID.x % p.chunks * tile_rows, queries = tile.tokens * (p.heads / p.kv_heads);
    uint end = min(query + tile_rows, queries), served = tile_rows;
    do {
        bool finite = serve(tile, query, min(query + served, queries) - 1);
        if (finite || served == 1) query += served;
        else served = 1;
    } while (query < end);
}
