// y = x w^T for many rows: a workgroup of 128 computes a tile of 64 rows x 64 outputs, taking 32 columns of both
// operands into shared memory at a time; each invocation holds 8 rows x 4 outputs.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

layout(local_size_x = 128) in;

const uint tile = 64, depth = 32;
// Column k of the operands at [k * tile / 4], four rows or outputs to an element. Rows of x are swapped about in fours so
// that a subgroup, which brings neighbouring columns of few rows, stores them in different banks.
shared vec4 x_tile[depth * tile / 4];
shared vec2 w_tile[depth * tile / 2];

uint x_index(uint k, uint row) { return k * tile + (row ^ (k / 4 * 4)); }

void main() {
    open_tile(gl_WorkGroupID.x, tile);
    uint column = p.first_column + gl_WorkGroupID.y * tile;
    if (column >= p.out_dim) return;  // grouped: the last of several equal cuts
    uint id = gl_LocalInvocationIndex;

    // What this invocation brings: 8 weights of two outputs, and 4 elements of 4 rows of x, 16 rows apart.
    uint w_pair = id % 32, w_part = id / 32, x_k = id % 8 * 4, x_at = id / 8;
    // The last panel is full (zero rows pad it), but a tile may reach beyond it.
    uint last_pair = (p.out_dim + panel_rows - 1) / panel_rows * panel_rows - 2;
    uint first = weight_word(min(column + 2 * w_pair, last_pair));
    uint x_first[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) x_first[i] = x_row(x_at + 16 * i) + x_k / 4;

    vec4 sum[8];
    [[unroll]] for (uint i = 0; i < 8; ++i) sum[i] = vec4(0.0);
    uint my_row = id / 16 * 8, my_column = id % 16 * 4;

    for (uint k = 0; k < p.in_dim; k += depth) {
        Weights8 w = decode_whole(first + k / block_size * block_words, k % block_size / 8 + w_part);
        vec4 x[4];
        [[unroll]] for (uint i = 0; i < 4; ++i) x[i] = at(x)[x_first[i] + k / 4];
        barrier();
        [[unroll]] for (uint i = 0; i < 8; ++i) w_tile[(8 * w_part + i) * (tile / 2) + w_pair] = w.w[i];
        [[unroll]] for (uint i = 0; i < 4; ++i)
            [[unroll]] for (uint j = 0; j < 4; ++j) {
                uint to = x_index(x_k + j, x_at + 16 * i);
                x_tile[to / 4][to % 4] = x[i][j];
            }
        barrier();
        for (uint d = 0; d < depth; ++d) {
            vec4 ws = vec4(w_tile[d * (tile / 2) + my_column / 2], w_tile[d * (tile / 2) + my_column / 2 + 1]);
            [[unroll]] for (uint i = 0; i < 8; i += 4) {
                vec4 xs = x_tile[x_index(d, my_row + i) / 4];
                [[unroll]] for (uint j = 0; j < 4; ++j) sum[i + j] = fma(vec4(xs[j]), ws, sum[i + j]);
            }
        }
    }
    [[unroll]] for (uint i = 0; i < 8; ++i) {
        store_pair(my_row + i, column + my_column, sum[i].xy);
        store_pair(my_row + i, column + my_column + 2, sum[i].zw);
    }
}
