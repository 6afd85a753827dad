// Attention as in attention.comp, its two products by cooperative matrices (VK_KHR_cooperative_matrix): q, the keys, the
// weights and the values in halves, scores and sums in f32.
//
// A value that is not finite in halves (infinite, NaN, or beyond 65504 in q8_0) makes the rows that see it NaN, in all of
// their elements, and no others: in a product of matrices it would reach every row, since 0 * infinity is NaN.
//
// A workgroup serves the query rows of one key-value head of one tile, each subgroup matrix_rows of them. All walk the same
// keys, keys_at_once at a time, which the workgroup brings into shared memory; while these are multiplied it reads the next
// into registers, as the cache holds them. Along x tiles * chunks, y key-value heads, z splits.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#include "../kernel.glsl"
#include "cache.glsl"
#include "attention.h"
PUSH(AttentionParams);

layout(local_size_x_id = 0) in;  // whole subgroups, each with at least matrix_rows invocations
layout(constant_id = 1) const uint subgroups = 4;
layout(constant_id = 2) const uint head_dim = 128;
// What one instruction multiplies, a shape that the device lists.
layout(constant_id = 3) const uint matrix_rows = 16;
layout(constant_id = 4) const uint matrix_columns = 16;
layout(constant_id = 5) const uint matrix_depth = 16;

const uint keys_at_once = 32;
const float lowest = -3.0e38;  // stands for minus infinity, whose differences would be NaN
const uint no_key = 0xffffffff;
const uint lanes = gl_WorkGroupSize.x / subgroups / matrix_rows;  // invocations that share a row's scores
const uint head_eights = head_dim / 8, head_stride = head_eights + 1;  // of a row in shared memory, in eights of halves
const uint weight_stride = keys_at_once / 8 + 1;
const uint score_columns = keys_at_once / matrix_columns, sums = head_dim / matrix_columns;

// The keys, then the values; before the first of them q.
const uint values_tile = keys_at_once * head_stride, q_size = subgroups * matrix_rows * head_stride;
shared uvec4 tiles[2 * values_tile > q_size ? 2 * values_tile : q_size];
shared uvec4 weights_tile[subgroups * matrix_rows * weight_stride];
// Of each subgroup: the scores of its rows, then a matrix of its sums or of what these shrink by.
const uint scores_size = matrix_rows * (keys_at_once > matrix_columns ? keys_at_once : matrix_columns);
shared float scores[subgroups * scores_size];
shared uint not_finite[keys_at_once];  // of each row of the values, the last key there whose value was not

// Whether a half among them has the greatest exponent.
bool any_not_finite(uvec4 halves) {
    return any(notEqual((halves & 0x7c007c00u) + 0x04000400u & 0x80008000u, uvec4(0)));
}

// What an invocation brings into shared memory at a time.
const uint tile_eights = keys_at_once * head_eights, each = (tile_eights + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
RawEight next_keys[each], next_values[each];

// Slots from `end` on may never have been written and hold anything, NaN too: in their place the last key is read.
void fetch(uint sequence, uint kv_head, uint first_key, uint end) {
    [[unroll]] for (uint i = 0; i < each; ++i) {
        uint eight = i * gl_WorkGroupSize.x + gl_LocalInvocationIndex, key = min(first_key + eight / head_eights, end - 1);
        uint block = at(block_tables)[sequence * p.table_stride + key / block_slots];
        uint part = (block * p.kv_heads + kv_head) * cache_part_quads(head_dim);
        uint of_part = key % block_slots * head_eights + eight % head_eights;
        if (eight < tile_eights) {
            next_keys[i] = raw_eight(keys, part, head_dim, of_part);
            next_values[i] = raw_eight(values, part, head_dim, of_part);
        }
    }
}

void keep(uint first_key) {
    [[unroll]] for (uint i = 0; i < each; ++i) {
        uint eight = i * gl_WorkGroupSize.x + gl_LocalInvocationIndex, row = eight / head_eights;
        if (eight < tile_eights) {
            uint to = row * head_stride + eight % head_eights;
            // By the place in the tile as by that in the part: rows of both differ by whole blocks of 16.
            tiles[to] = raw_halves(next_keys[i], eight);
            uvec4 value = raw_halves(next_values[i], eight);
            bool finite = !any_not_finite(value);
            tiles[values_tile + to] = finite ? value : uvec4(0);
            if (!finite) not_finite[row] = first_key + row;
        }
    }
}

// Between what a subgroup does to shared memory that no other subgroup touches.
void subgroup_turn() {
    subgroupMemoryBarrierShared();
    subgroupBarrier();
}

float greatest_over_lanes(float value) {
    for (uint step = 1; step < lanes; step *= 2) value = max(value, subgroupShuffleXor(value, step));
    return value;
}

float sum_over_lanes(float value) {
    for (uint step = 1; step < lanes; step *= 2) value += subgroupShuffleXor(value, step);
    return value;
}

void main() {
    QueryTile tile = at(tiles)[gl_WorkGroupID.x / p.chunks];
    uint kv_head = gl_WorkGroupID.y, split = gl_WorkGroupID.z;
    uint group = p.heads / p.kv_heads;  // query heads that read one key-value head
    // Invocations beyond matrix_rows * lanes of a subgroup repeat its last row and store nothing.
    uint row = min(gl_SubgroupInvocationID / lanes, matrix_rows - 1), lane = gl_SubgroupInvocationID % lanes;
    bool active_row = gl_SubgroupInvocationID < matrix_rows * lanes;
    uint query = (gl_WorkGroupID.x % p.chunks * subgroups + gl_SubgroupID) * matrix_rows + row;
    active_row = active_row && query < tile.tokens * group;
    query = min(query, tile.tokens * group - 1);
    uint token = query / group, head = kv_head * group + query % group;
    uint position = tile.first_position + token;
    uint out_row = (tile.first_row + token) * p.heads + head;

    // Keys that some row of this workgroup sees, and of those this split's.
    uint last_position = tile.first_position + tile.tokens - 1;
    uint begin = p.window == 0 || tile.first_position < p.window ? 0 : tile.first_position - p.window + 1;
    uint end = min(last_position + 1, (split + 1) * p.split_keys);
    begin = max(begin / keys_at_once * keys_at_once, split * p.split_keys);

    // q of each row in halves, scaled by the power of two that brings its greatest element to 2^14 and above (HalveParams).
    uint my_rows = gl_SubgroupID * matrix_rows;
    float q_greatest = 0.0;
    for (uint d = lane; d < head_dim / 4; d += lanes) {
        vec4 q = abs(at(q)[out_row * (head_dim / 4) + d]);
        q_greatest = max(q_greatest, max(max(q.x, q.y), max(q.z, q.w)));
    }
    int exponent = clamp(int(floatBitsToUint(greatest_over_lanes(q_greatest)) >> 23) - 127, -112, 127);
    float q_inverse = uintBitsToFloat(uint(127 + 14 - exponent) << 23);
    float score_scale = uintBitsToFloat(uint(127 - 14 + exponent) << 23) * p.scale;
    if (gl_SubgroupInvocationID < matrix_rows * lanes)
        for (uint d = lane; d < head_eights; d += lanes) {
            uint from = out_row * (head_dim / 4) + 2 * d;
            tiles[(my_rows + row) * head_stride + d] = eight_halves(q_inverse * at(q)[from], q_inverse * at(q)[from + 1]);
        }
    subgroup_turn();
    coopmat<float16_t, gl_ScopeSubgroup, matrix_rows, matrix_depth, gl_MatrixUseA> q_matrix[head_dim / matrix_depth];
    [[unroll]] for (uint i = 0; i < head_dim / matrix_depth; ++i)
        coopMatLoad(q_matrix[i], tiles, my_rows * head_stride + i * matrix_depth / 8, head_stride,
                    gl_CooperativeMatrixLayoutRowMajor);

    coopmat<float, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator> sum[sums];
    [[unroll]] for (uint i = 0; i < sums; ++i)
        sum[i] = coopmat<float, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator>(0.0);
    float greatest = lowest, weights = 0.0;
    uint my_scores = gl_SubgroupID * scores_size;
    for (uint i = gl_LocalInvocationIndex; i < keys_at_once; i += gl_WorkGroupSize.x) not_finite[i] = no_key;

    if (begin < end) fetch(tile.sequence, kv_head, begin, end);
    for (uint first_key = begin; first_key < end; first_key += keys_at_once) {
        barrier();  // what was kept before has been read, and q
        keep(first_key);
        barrier();
        if (first_key + keys_at_once < end) fetch(tile.sequence, kv_head, first_key + keys_at_once, end);

        [[unroll]] for (uint j = 0; j < score_columns; ++j) {
            coopmat<float, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator> score =
                coopmat<float, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator>(0.0);
            [[unroll]] for (uint i = 0; i < head_dim / matrix_depth; ++i) {
                coopmat<float16_t, gl_ScopeSubgroup, matrix_depth, matrix_columns, gl_MatrixUseB> k;
                coopMatLoad(k, tiles, j * matrix_columns * head_stride + i * matrix_depth / 8, head_stride,
                            gl_CooperativeMatrixLayoutColumnMajor);
                score = coopMatMulAdd(q_matrix[i], k, score);
            }
            coopMatStore(score, scores, my_scores + j * matrix_columns, keys_at_once, gl_CooperativeMatrixLayoutRowMajor);
        }
        subgroup_turn();

        // Each row's weights, its lanes taking turns in eights of keys.
        float new_greatest = greatest;
        for (uint k = lane * 8; k < keys_at_once; k += lanes * 8)
            [[unroll]] for (uint j = 0; j < 8; ++j) {
                uint key = first_key + k + j;
                if (key <= position && key < end && (p.window == 0 || position - key < p.window))
                    new_greatest = max(new_greatest, scores[my_scores + row * keys_at_once + k + j] * score_scale);
            }
        new_greatest = greatest_over_lanes(new_greatest);
        float shrink = exp(greatest - new_greatest), added = 0.0;
        greatest = new_greatest;
        for (uint k = lane * 8; k < keys_at_once; k += lanes * 8) {
            vec4 weight[2];
            [[unroll]] for (uint j = 0; j < 8; ++j) {
                uint key = first_key + k + j;
                bool seen = key <= position && key < end && (p.window == 0 || position - key < p.window);
                weight[j / 4][j % 4] = seen ? exp(scores[my_scores + row * keys_at_once + k + j] * score_scale - greatest) : 0.0;
                if (seen && not_finite[k + j] == key) added = uintBitsToFloat(0x7fc00000u);  // NaN, as is then what weights divide
            }
            added += dot(weight[0], vec4(1.0)) + dot(weight[1], vec4(1.0));
            if (gl_SubgroupInvocationID < matrix_rows * lanes)
                weights_tile[(my_rows + row) * weight_stride + k / 8] = eight_halves(weight[0], weight[1]);
        }
        weights = weights * shrink + sum_over_lanes(added);
        subgroup_turn();

        // The sums of a row shrink by one factor: a matrix of these, row by row. Whether there is none that shrinks is not
        // asked, since a barrier that only some subgroups reach goes wrong on CPU implementations.
        if (gl_SubgroupInvocationID < matrix_rows * lanes)
            for (uint c = lane; c < matrix_columns; c += lanes) scores[my_scores + row * matrix_columns + c] = shrink;
        subgroup_turn();
        coopmat<float, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator> factor;
        coopMatLoad(factor, scores, my_scores, matrix_columns, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint i = 0; i < sums; ++i) sum[i] *= factor;
        [[unroll]] for (uint k = 0; k < keys_at_once; k += matrix_depth) {
            coopmat<float16_t, gl_ScopeSubgroup, matrix_rows, matrix_depth, gl_MatrixUseA> weight;
            coopMatLoad(weight, weights_tile, my_rows * weight_stride + k / 8, weight_stride, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint i = 0; i < sums; ++i) {
                coopmat<float16_t, gl_ScopeSubgroup, matrix_depth, matrix_columns, gl_MatrixUseB> v;
                coopMatLoad(v, tiles, values_tile + k * head_stride + i * matrix_columns / 8, head_stride, gl_CooperativeMatrixLayoutRowMajor);
                sum[i] = coopMatMulAdd(weight, v, sum[i]);
            }
        }
    }

    uint partial = (split * p.rows * p.heads + out_row) * (head_dim + 2) / 2;
    [[unroll]] for (uint i = 0; i < sums; ++i) {
        subgroup_turn();
        coopMatStore(sum[i], scores, my_scores, matrix_columns, gl_CooperativeMatrixLayoutRowMajor);
        subgroup_turn();
        if (active_row)
            for (uint c = lane * 4; c < matrix_columns; c += lanes * 4) {
                uint from = my_scores + row * matrix_columns + c;
                vec4 four = vec4(scores[from], scores[from + 1], scores[from + 2], scores[from + 3]);
                uint d = (i * matrix_columns + c) / 4;
                if (p.splits == 1) {
                    at(y)[out_row * (head_dim / 4) + d] = four / weights;
                } else {
                    at(partials)[partial + 2 * d] = four.xy;
                    at(partials)[partial + 2 * d + 1] = four.zw;
                }
            }
    }
    if (active_row && p.splits > 1 && lane == 0) at(partials)[partial + head_dim / 2] = vec2(greatest, weights);
}
