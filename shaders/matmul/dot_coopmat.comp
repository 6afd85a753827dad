// y = x w^T by cooperative matrices of bytes (VK_KHR_cooperative_matrix): x quantised (quantise.comp), the weight's own whole
// numbers. Sums within a scale are exact, the others f32, as in dot.comp.
//
// A workgroup computes a tile in parts (parts.glsl). It takes 32 columns of both operands, a block of x, or as many for each
// of several slices of the columns, into shared memory at a time; while these are multiplied the next are read.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"
#include "parts.glsl"

const uint spans = depth / integer_span;
// An instruction may take more terms than share a scale. Then the weights of both spans meet the x of one, with zeros in the
// other's place: of the 48 bytes of a row of x in shared memory the middle 16 are zeros.
const bool both_spans = matrix_depth > integer_span;
const uint terms = both_spans ? spans : depth / matrix_depth;  // instructions that make up a block
const uint w_terms = both_spans ? 1 : terms;
const uint term_eights = both_spans ? 2 : matrix_depth / 8;  // from a term of x to the next
const uint stride = 6;  // of a row in shared memory, in eights of bytes: 32 bytes and 16 more, which put rows in different banks

// Both operands of all slices, twice: what is multiplied and what comes next. Scales and minima by slice and span. Matrices are
// loaded at addresses that are multiples of 16: each of these arrays is as many bytes long.
const uint x_size = slices * tile_rows, w_size = slices * tile_columns;
shared uvec2 x_tile[2 * x_size * stride], w_tile[2 * w_size * stride];
shared float x_scales[2 * x_size], w_scales[2 * w_size * spans];
shared float x_sums[has_minimum ? 2 * x_size * spans : 1], w_minima[has_minimum ? 2 * w_size * spans : 1];

// What an invocation brings at a time: halves of a block of x; eights of two outputs, the first of a span with its scales.
const uint x_halves = x_size * 2, w_eights = w_size / 2 * (depth / 8);
const uint x_each = (x_halves + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
const uint w_each = (w_eights + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
uvec4 x_next[x_each], w_next[w_each];  // of w the eight of the even output first
float x_scale_next[x_each];
int x_sums_next[x_each];
vec2 w_scale_next[w_each], w_minimum_next[w_each];

// Four bytes of each of two rows, from two words that hold two of each.
uvec2 four_bytes(uint a, uint b) {
    uvec2 four = uvec2(a & 0xffffu | b << 16, a >> 16 | b & 0xffff0000u);
    // Without a carry from byte to byte: what an offset is taken off is below 64.
    if (integer_offset != 0) four = four + (128 - integer_offset) * 0x01010101u ^ 0x80808080u;
    return four;
}

void fetch(uint k, uint column) {
    uint id = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0; i < x_each; ++i) {
        uint part = i * gl_WorkGroupSize.x + id, at_k = k + part / (tile_rows * 2) * depth;
        // Rows beyond the last are computed too, but not stored. x is in the order of the tiles.
        uint row = min(first_row + part / 2 % tile_rows, p.rows - 1);
        uint block = row * (p.in_dim / depth) + at_k / depth;
        x_scale_next[i] = 0.0;
        x_sums_next[i] = 0;
        if (part < x_halves && at_k < p.in_dim) {
            x_next[i] = at(packed)[2 * block + part % 2];
            x_scale_next[i] = uintBitsToFloat(at(scales)[2 * block]);
            x_sums_next[i] = int(at(scales)[2 * block + 1]);
        }
    }
    // The last panel is full (zero rows pad it), but a tile may reach beyond it.
    uint last_pair = (p.out_dim + panel_rows - 1) / panel_rows * panel_rows - 2;
    [[unroll]] for (uint i = 0; i < w_each; ++i) {
        // Invocations side by side read neighbouring pairs of outputs.
        uint eight = i * gl_WorkGroupSize.x + id, pair = eight % (tile_columns / 2), rest = eight / (tile_columns / 2);
        uint at_k = k + rest * 8;
        w_scale_next[i] = w_minimum_next[i] = vec2(0.0);
        if (eight < w_eights && at_k < p.in_dim) {
            uint first = weight_word(min(column + 2 * pair, last_pair)) + at_k / block_size * block_words;
            uint part = at_k % block_size / 8;
            uvec2 low = four_bytes(integers(first, part, 0), integers(first, part, 1));
            uvec2 high = four_bytes(integers(first, part, 2), integers(first, part, 3));
            w_next[i] = uvec4(low.x, high.x, low.y, high.y);
            if (rest % (integer_span / 8) == 0) {
                w_scale_next[i] = integer_scale(first, part);
                if (has_minimum) w_minimum_next[i] = integer_minimum(first, part);
            }
        }
    }
}

void keep(uint half_of) {
    uint id = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0; i < x_each; ++i) {
        uint part = i * gl_WorkGroupSize.x + id, row = half_of * x_size + part / 2, half_block = part % 2;
        if (part < x_halves) {
            uint to = row * stride + half_block * (both_spans ? 4 : 2);
            x_tile[to] = x_next[i].xy;
            x_tile[to + 1] = x_next[i].zw;
            if (both_spans) x_tile[row * stride + 2 + half_block] = uvec2(0);
            if (half_block == 0) x_scales[row] = x_scale_next[i];
            int sums[2] = {x_sums_next[i] << 16 >> 16, x_sums_next[i] >> 16};
            if (has_minimum && half_block < spans) {
                uint slice_of_all = row / tile_rows;
                x_sums[(slice_of_all * spans + half_block) * tile_rows + row % tile_rows] =
                    float(spans == 2 ? sums[half_block] : sums[0] + sums[1]);
            }
        }
    }
    [[unroll]] for (uint i = 0; i < w_each; ++i) {
        uint eight = i * gl_WorkGroupSize.x + id, pair = eight % (tile_columns / 2), rest = eight / (tile_columns / 2);
        uint to = (half_of * w_size + rest / 4 * tile_columns + 2 * pair) * stride + rest % 4;
        if (eight < w_eights) {
            w_tile[to] = w_next[i].xy;
            w_tile[to + stride] = w_next[i].zw;
            if (rest % (integer_span / 8) == 0) {
                uint scale = half_of * w_size * spans + rest / (integer_span / 8) * tile_columns + 2 * pair;
                w_scales[scale] = w_scale_next[i].x;
                w_scales[scale + 1] = w_scale_next[i].y;
                if (has_minimum) {
                    w_minima[scale] = w_minimum_next[i].x;
                    w_minima[scale + 1] = w_minimum_next[i].y;
                }
            }
        }
    }
}

float row_scale(uint row) { return 1.0; }

void main() {
    open_tile(gl_WorkGroupID.x, tile_rows);
    uint column = p.first_column + gl_WorkGroupID.y * tile_columns;
    if (column >= p.out_dim) return;  // grouped: the last of several equal cuts
    uint part = gl_SubgroupID % parts, slice = gl_SubgroupID / parts;

    Sums sum[down * across];
    [[unroll]] for (uint i = 0; i < down * across; ++i) sum[i] = Sums(0.0);

    fetch(0, column);
    keep(0);
    barrier();
    uint now = 0;
    for (uint k = 0; k < p.in_dim; k += slices * depth, now ^= 1) {
        bool more = k + slices * depth < p.in_dim;
        if (more) fetch(k + slices * depth, column);

        // A slice that has no more columns meets scales and minima of 0. A stride of 0 repeats a row or a column.
        uint x_slice = (now * slices + slice) * tile_rows, w_slice = (now * slices + slice) * tile_columns;
        coopmat<int8_t, gl_ScopeSubgroup, matrix_rows, matrix_depth, gl_MatrixUseA> a[down * terms];
        Sums x_scale[down], x_sum[has_minimum ? down * spans : 1];
        [[unroll]] for (uint i = 0; i < down; ++i) {
            uint row = part_row(part) + i * matrix_rows;
            [[unroll]] for (uint t = 0; t < terms; ++t)
                coopMatLoad(a[i * terms + t], x_tile, (x_slice + row) * stride + t * term_eights, stride,
                            gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(x_scale[i], x_scales, x_slice + row, 0, gl_CooperativeMatrixLayoutColumnMajor);
            if (has_minimum)
                [[unroll]] for (uint s = 0; s < spans; ++s)
                    coopMatLoad(x_sum[i * spans + s], x_sums, x_slice * spans + s * tile_rows + row, 0,
                                gl_CooperativeMatrixLayoutColumnMajor);
        }
        [[unroll]] for (uint j = 0; j < across; ++j) {
            uint first_output = part_column(part) + j * matrix_columns;
            coopmat<int8_t, gl_ScopeSubgroup, matrix_depth, matrix_columns, gl_MatrixUseB> b[w_terms];
            [[unroll]] for (uint t = 0; t < w_terms; ++t)
                coopMatLoad(b[t], w_tile, (w_slice + first_output) * stride + t * term_eights, stride,
                            gl_CooperativeMatrixLayoutColumnMajor);
            Sums w_scale[spans], w_minimum[has_minimum ? spans : 1];
            [[unroll]] for (uint s = 0; s < spans; ++s) {
                uint from = w_slice * spans + s * tile_columns + first_output;
                coopMatLoad(w_scale[s], w_scales, from, 0, gl_CooperativeMatrixLayoutRowMajor);
                if (has_minimum) coopMatLoad(w_minimum[s], w_minima, from, 0, gl_CooperativeMatrixLayoutRowMajor);
            }
            [[unroll]] for (uint i = 0; i < down; ++i) {
                Sums product = Sums(0.0);
                [[unroll]] for (uint s = 0; s < spans; ++s) {
                    coopmat<int32_t, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator> whole =
                        coopmat<int32_t, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator>(0);
                    [[unroll]] for (uint t = s * terms / spans; t < (s + 1) * terms / spans; ++t)
                        whole = coopMatMulAdd(a[i * terms + t], b[t % w_terms], whole);
                    product = w_scale[s] * Sums(whole) + product;
                    if (has_minimum) product = w_minimum[s] * x_sum[i * spans + s] + product;
                }
                sum[i * across + j] = x_scale[i] * product + sum[i * across + j];
            }
        }
        if (more) keep(now ^ 1);
        barrier();
    }
    [[unroll]] for (uint i = 0; i < down * across; ++i) {
        coopMatStore(sum[i], joined, gl_SubgroupID * matrix_size, matrix_columns, gl_CooperativeMatrixLayoutRowMajor);
        store_joined(i, column);
    }
}
