// y = x w^T for few rows, bound by reading the weight, which is read once per tile_rows rows.
//
// A workgroup computes one panel of 32 outputs: invocation i the output i % 32, over every slices-th block of the
// inner dimension; the slices are then added up in shared memory.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

layout(local_size_x_id = 0) in;  // 32 * slices
layout(constant_id = 1) const uint tile_rows = 1;

shared float partial[gl_WorkGroupSize.x];

void main() {
    uint lane = gl_LocalInvocationIndex % panel_rows, slice = gl_LocalInvocationIndex / panel_rows;
    uint slices = gl_WorkGroupSize.x / panel_rows;
    uint column = gl_WorkGroupID.x * panel_rows + lane;
    uint row = gl_WorkGroupID.y * tile_rows, last_row = p.rows - 1;
    uint first = first_unit(column, p.in_dim);

    float sum[tile_rows];
    [[unroll]] for (uint r = 0; r < tile_rows; ++r) sum[r] = 0.0;
    for (uint block = slice; block < p.in_dim / block_size; block += slices) {
        for (uint group = 0; group < block_size / 32; ++group) {
            [[unroll]] for (uint i = 0; i < 4; ++i) {
                uint part = group * 4 + i;
                Weights8 w = decode(first + block * block_units * panel_rows, part);
                uint k = block * block_size + 8 * part;
                [[unroll]] for (uint r = 0; r < tile_rows; ++r)
                    sum[r] += dot(w.lo, x4(min(row + r, last_row), k)) + dot(w.hi, x4(min(row + r, last_row), k + 4));
            }
        }
    }
    [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
        partial[gl_LocalInvocationIndex] = sum[r];
        barrier();
        if (slice == 0) {
            float total = 0.0;
            for (uint s = 0; s < slices; ++s) total += partial[s * panel_rows + lane];
            store(row + r, column, total);
        }
        barrier();
    }
}
