// y = x w^T from registers alone: no shared memory, no barriers. For CPU implementations, where those are slow.
//
// Invocations lie along the outputs. Each computes tile_rows x columns of y: a decoded weight meets tile_rows
// rows of x, which all invocations read at the same address. One workgroup computes invocations * columns outputs.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint tile_rows = 8;
layout(constant_id = 2) const uint columns = 2;

void main() {
    uint row = gl_WorkGroupID.x * tile_rows;
    uint column = gl_WorkGroupID.y * gl_WorkGroupSize.x * columns + gl_LocalInvocationIndex;
    uint last_row = p.rows - 1;

    float sum[tile_rows * columns];
    [[unroll]] for (uint i = 0; i < tile_rows * columns; ++i) sum[i] = 0.0;
    uint first[columns];
    [[unroll]] for (uint c = 0; c < columns; ++c) first[c] = first_unit(column + c * gl_WorkGroupSize.x, p.in_dim);

    for (uint k = 0; k < p.in_dim; k += block_size) {
        for (uint group = 0; group < block_size / 32; ++group) {
            [[unroll]] for (uint i = 0; i < 4; ++i) {
                uint part = group * 4 + i;
                Weights8 w[columns];
                [[unroll]] for (uint c = 0; c < columns; ++c) w[c] = decode(first[c], part);
                [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
                    vec4 lo = x4(min(row + r, last_row), k + 8 * part), hi = x4(min(row + r, last_row), k + 8 * part + 4);
                    [[unroll]] for (uint c = 0; c < columns; ++c)
                        [[unroll]] for (uint j = 0; j < 4; ++j) {
                            sum[r * columns + c] = fma(w[c].lo[j], lo[j], sum[r * columns + c]);
                            sum[r * columns + c] = fma(w[c].hi[j], hi[j], sum[r * columns + c]);
                        }
                }
            }
        }
        [[unroll]] for (uint c = 0; c < columns; ++c) first[c] += block_units * panel_rows;
    }
    [[unroll]] for (uint r = 0; r < tile_rows; ++r)
        [[unroll]] for (uint c = 0; c < columns; ++c)
            store(row + r, column + c * gl_WorkGroupSize.x, sum[r * columns + c]);
}
