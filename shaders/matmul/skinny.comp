// y = x w^T for few rows, bound by reading the weight, which is read once per tile_rows rows.
//
// A workgroup computes one panel of 32 outputs: invocation i two neighbouring ones, pair i % 16, over every slices-th
// run of 32 weights; the slices are then added up in shared memory.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"

layout(local_size_x_id = 0) in;  // 16 * slices
layout(constant_id = 1) const uint tile_rows = 1;
const uint lanes = panel_rows / 2;
const uint slices = gl_WorkGroupSize.x / lanes;
const uint span = factor_span == 16 ? 16 : 32;  // weights between two additions to the sums
const uint joined = tile_rows < 8 ? tile_rows : 8;  // rows whose slices are added up at a time, for the shared memory they take

shared vec2 partial[joined * gl_WorkGroupSize.x];

void main() {
    uint lane = gl_LocalInvocationIndex % lanes, slice = gl_LocalInvocationIndex / lanes;
    open_tile(gl_WorkGroupID.x, tile_rows);
    uint first_column = p.first_column + gl_WorkGroupID.y * panel_rows;
    if (first_column >= p.out_dim) return;  // grouped: the last of several equal cuts
    uint panel = weight_word(first_column + 2 * lane);

    vec2 sum[tile_rows];
    uint x_first[tile_rows];
    [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
        sum[r] = vec2(0.0);
        x_first[r] = x_row(r);
    }
    for (uint run = slice; run < p.in_dim / 32; run += slices) {
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
    [[unroll]] for (uint first_joined = 0; first_joined < tile_rows; first_joined += joined) {
        if (first_joined > 0) barrier();  // those before have been read
        [[unroll]] for (uint r = 0; r < joined; ++r)
            if (first_joined + r < tile_rows) partial[r * gl_WorkGroupSize.x + gl_LocalInvocationIndex] = sum[first_joined + r];
        barrier();
        for (uint i = gl_LocalInvocationIndex; i < joined * lanes; i += gl_WorkGroupSize.x) {
            vec2 total = vec2(0.0);
            for (uint s = 0; s < slices; ++s) total += partial[i / lanes * gl_WorkGroupSize.x + s * lanes + i % lanes];
            store_pair(first_joined + i / lanes, first_column + i % lanes * 2, total);
        }
    }
}
