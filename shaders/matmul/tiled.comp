// y = x w^T for many rows: a workgroup of 256 computes a tile of 64 rows x 64 outputs, taking 32 columns of both
// operands into shared memory at a time; each invocation holds 4 x 4 results.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

layout(local_size_x = 256) in;

const uint tile = 64, depth = 32, stride = tile + 4;  // the stride keeps stores of a column apart in the banks
shared float x_tile[depth * stride], w_tile[depth * stride];  // element k of row or output i at k * stride + i

void main() {
    uint row = gl_WorkGroupID.x * tile, column = gl_WorkGroupID.y * tile;
    uint id = gl_LocalInvocationIndex;

    // What this invocation fetches: 8 elements of one row of x, 8 weights of one output.
    uint fetch = id % tile, fetch_part = id / tile;
    uint fetch_row = min(row + fetch, p.rows - 1);
    // The last panel is full (zero rows pad it), but a tile may reach beyond it.
    uint last_padded = (p.out_dim + panel_rows - 1) / panel_rows * panel_rows - 1;
    uint first = first_unit(min(column + fetch, last_padded), p.in_dim);

    vec4 sum[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) sum[i] = vec4(0.0);
    uint my_row = id / 16 * 4, my_column = id % 16 * 4;

    for (uint k = 0; k < p.in_dim; k += depth) {
        uint part = k % block_size / 8 + fetch_part;
        Weights8 w = decode(first + k / block_size * block_units * panel_rows, part);
        vec4 lo = x4(fetch_row, k + 8 * fetch_part), hi = x4(fetch_row, k + 8 * fetch_part + 4);
        barrier();
        [[unroll]] for (uint i = 0; i < 4; ++i) {
            w_tile[(8 * fetch_part + i) * stride + fetch] = w.lo[i];
            w_tile[(8 * fetch_part + 4 + i) * stride + fetch] = w.hi[i];
            x_tile[(8 * fetch_part + i) * stride + fetch] = lo[i];
            x_tile[(8 * fetch_part + 4 + i) * stride + fetch] = hi[i];
        }
        barrier();
        for (uint d = 0; d < depth; ++d) {
            vec4 xs, ws;
            [[unroll]] for (uint i = 0; i < 4; ++i) {
                xs[i] = x_tile[d * stride + my_row + i];
                ws[i] = w_tile[d * stride + my_column + i];
            }
            [[unroll]] for (uint i = 0; i < 4; ++i) sum[i] = fma(vec4(xs[i]), ws, sum[i]);
        }
    }
    [[unroll]] for (uint i = 0; i < 4; ++i)
        [[unroll]] for (uint j = 0; j < 4; ++j) store(row + my_row + i, column + my_column + j, sum[i][j]);
}
