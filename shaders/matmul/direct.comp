// y = x w^T from registers alone: no shared memory, no barriers. For CPU implementations, where those are slow.
//
// Invocations lie along the outputs. Each computes tile_rows rows x pairs pairs of neighbouring outputs: a decoded weight
// meets tile_rows elements of x, which all invocations read at the same address. One workgroup computes
// 2 * invocations * pairs outputs.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint tile_rows = 8;
layout(constant_id = 2) const uint pairs = 1;
const uint sums = tile_rows * pairs;
// Weights met between two additions to the sums, and as far as the loops are unrolled.
const uint span = factor_span == 0 ? 32 : factor_span;

void main() {
    open_tile(gl_WorkGroupID.x, tile_rows);
    uint column = p.first_column + gl_WorkGroupID.y * gl_WorkGroupSize.x * pairs * 2 + gl_LocalInvocationIndex * 2;
    uint column_step = gl_WorkGroupSize.x * 2;

    if (column - gl_LocalInvocationIndex * 2 >= p.out_dim) return;  // grouped: the last of several equal cuts
    vec2 sum[sums];
    [[unroll]] for (uint i = 0; i < sums; ++i) sum[i] = vec2(0.0);
    uint first[pairs], x_first[tile_rows];
    [[unroll]] for (uint c = 0; c < pairs; ++c) first[c] = weight_word(column + c * column_step);
    [[unroll]] for (uint r = 0; r < tile_rows; ++r) x_first[r] = x_row(r);

    for (uint k = 0; k < p.in_dim; k += block_size) {
        for (uint part = 0; part < block_size / 8; part += span / 8) {
            vec2 products[sums];
            [[unroll]] for (uint i = 0; i < sums; ++i) products[i] = vec2(0.0);
            [[unroll]] for (uint i = 0; i < span / 8; ++i) {
                Weights8 w[pairs];
                [[unroll]] for (uint c = 0; c < pairs; ++c) w[c] = decode(first[c], part + i);
                [[unroll]] for (uint j = 0; j < 8; ++j)
                    [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
                        float x = at(x)[x_first[r] + k / 4 + 2 * (part + i) + j / 4][j % 4];
                        [[unroll]] for (uint c = 0; c < pairs; ++c) products[r * pairs + c] += w[c].w[j] * x;
                    }
            }
            [[unroll]] for (uint c = 0; c < pairs; ++c) {
                vec2 left_out = factor(first[c], part);
                [[unroll]] for (uint r = 0; r < tile_rows; ++r)
                    sum[r * pairs + c] += factor_span == 0 ? products[r * pairs + c] : left_out * products[r * pairs + c];
            }
        }
        [[unroll]] for (uint c = 0; c < pairs; ++c) first[c] += block_words;
    }
    [[unroll]] for (uint r = 0; r < tile_rows; ++r)
        [[unroll]] for (uint c = 0; c < pairs; ++c) store_pair(r, column + c * column_step, sum[r * pairs + c]);
}
