// y = x w^T by dot products of bytes, four terms in an instruction: x quantised (quantise.comp), the weight's own whole
// numbers. Sums within a scale are exact, the others f32.
//
// Each slice of a workgroup (slices.glsl) takes every slices-th block of x, which meets 32 weights.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_integer_dot_product : require
#include "matmul.glsl"
#include "slices.glsl"

// Four bytes of each of two rows, from two words that hold two of each.
ivec2 four_bytes(uint a, uint b) { return ivec2(a & 0xffffu | b << 16, a >> 16 | b & 0xffff0000u); }

const uint spans = 32 / integer_span, span_words = integer_span / 4;

void main() {
    open_tile(gl_WorkGroupID.x, tile_rows);
    uint first_column = p.first_column + gl_WorkGroupID.y * panel_rows;
    if (first_column >= p.out_dim) return;  // grouped: the last of several equal cuts
    uint panel = weight_word(first_column + 2 * lane());
    uint blocks = p.in_dim / 32;

    [[unroll]] for (uint r = 0; r < tile_rows; ++r) sum[r] = vec2(0.0);
    for (uint block = slice(); block < blocks; block += slices) {
        const uint block_runs = block_size / 32;
        uint first = panel + block / block_runs * block_words, part = block % block_runs * 4;
        ivec2 w[8];
        [[unroll]] for (uint i = 0; i < 8; ++i)
            w[i] = four_bytes(integers(first, part + i / 2, i % 2 * 2), integers(first, part + i / 2, i % 2 * 2 + 1));
        vec2 scale[spans], minimum[spans];
        [[unroll]] for (uint s = 0; s < spans; ++s) {
            scale[s] = integer_scale(first, part + s * span_words / 2);
            minimum[s] = integer_minimum(first, part + s * span_words / 2);
        }
        [[unroll]] for (uint r = 0; r < tile_rows; ++r) {
            // x is in the order of the tiles. Rows beyond the last are computed too, but not stored.
            uint x_block = (first_row + min(r, row_count - 1)) * blocks + block;
            uvec4 x[2] = {at(packed)[2 * x_block], at(packed)[2 * x_block + 1]};
            int x_sums = int(at(scales)[2 * x_block + 1]);
            int x_sum[2] = {x_sums << 16 >> 16, x_sums >> 16};
            vec2 product = vec2(0.0);
            [[unroll]] for (uint s = 0; s < spans; ++s) {
                int sum_of_x = spans == 2 ? x_sum[s] : x_sum[0] + x_sum[1];
                ivec2 whole = ivec2(-integer_offset * sum_of_x);
                [[unroll]] for (uint i = s * span_words; i < (s + 1) * span_words; ++i) {
                    int four = int(x[i / 4][i % 4]);
                    whole += ivec2(dotPacked4x8EXT(w[i].x, four), dotPacked4x8EXT(w[i].y, four));
                }
                product = fma(scale[s], vec2(whole), product);
                if (has_minimum) product = fma(minimum[s], vec2(sum_of_x), product);
            }
            sum[r] = fma(vec2(uintBitsToFloat(at(scales)[2 * x_block])), product, sum[r]);
        }
    }
    join_slices(first_column);
}
