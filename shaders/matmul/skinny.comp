// y = x w^T for few rows, bound by reading the weight, which is read once per tile_rows rows.
//
// Each slice of a workgroup (slices.glsl) takes every slices-th run of 32 weights.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"
#include "slices.glsl"

const uint span = factor_span == 16 ? 16 : 32;  // weights between two additions to the sums

void main() {
    open_tile(gl_WorkGroupID.x, tile_rows);
    uint first_column = p.first_column + gl_WorkGroupID.y * panel_rows;
    if (first_column >= p.out_dim) return;  // grouped: the last of several equal cuts
    uint panel = weight_word(first_column + 2 * lane());

    uint x_first[tile_rows];
    [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
        sum[r] = vec2(0.0);
        x_first[r] = x_row(r);
    }
    for (uint run = slice(); run < p.in_dim / 32; run += slices) {
        const uint block_runs = block_size / 32;
        uint first = panel + run / block_runs * block_words;
        [[unroll]] for (uint begin = 0; begin < 4; begin += span / 8) {
            uint part = run % block_runs * 4 + begin;
            vec2 products[tile_rows];
            [[unroll]] for (uint r = 0; r < tile_rows; ++r) products[r] = vec2(0.0);
            [[unroll]] for (uint i = 0; i < span / 8; ++i) {
                Weights8 w = decode(first, part + i);
                [[unroll]] for (uint r = 0; r < tile_rows; ++r)
                    [[unroll]] for (uint j = 0; j < 8; j += 4) {
                        vec4 x = at(x)[x_first[r] + 8 * run + 2 * (begin + i) + j / 4];
                        [[unroll]] for (uint l = 0; l < 4; ++l) products[r] = fma(w.w[j + l], vec2(x[l]), products[r]);
                    }
            }
            vec2 left_out = factor(first, part);
            [[unroll]] for (uint r = 0; r < tile_rows; ++r) sum[r] = fma(left_out, products[r], sum[r]);
        }
    }
    join_slices(first_column);
}
