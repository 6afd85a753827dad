// y = x w^T by cooperative matrices (VK_KHR_cooperative_matrix): operands in halves, sums in f32.
//
// A workgroup computes a tile in parts (parts.glsl). It takes 32 columns of both operands, or as many for each of several
// slices of the columns, into shared memory at a time, the weight decoded; while these are multiplied the next are read.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "matmul.glsl"
#include "parts.glsl"

const uint stride = depth / 8 + 1;  // of a row in shared memory, in eights of halves; one more puts rows in different banks

// Both operands of all slices, twice: what is multiplied and what comes next.
const uint x_size = slices * tile_rows * stride, w_size = slices * tile_columns * stride;
shared uvec4 x_tile[2 * x_size], w_tile[2 * w_size];

// What an invocation brings at a time: eights of a row of x; eights of two outputs.
const uint x_eights = slices * tile_rows * (depth / 8), w_eights = slices * tile_columns / 2 * (depth / 8);
const uint x_each = (x_eights + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
const uint w_each = (w_eights + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
uvec4 x_next[x_each], w_next[2 * w_each];

uvec4 halves_of(Weights8 w, uint row) {
    uvec4 eight;
    [[unroll]] for (uint i = 0; i < 4; ++i) eight[i] = packHalf2x16(vec2(w.w[2 * i][row], w.w[2 * i + 1][row]));
    return eight;
}

void fetch(uint k, uint column) {
    uint id = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0; i < x_each; ++i) {
        uint eight = i * gl_WorkGroupSize.x + id, at_k = k + eight / (tile_rows * 4) * depth + eight % 4 * 8;
        // Rows beyond the last are computed too, but not stored.
        uint row = min(first_row + eight / 4 % tile_rows, p.rows - 1);
        if (eight < x_eights && at_k < p.in_dim) x_next[i] = at(packed)[row * (p.in_dim / 8) + at_k / 8];
    }
    // The last panel is full (zero rows pad it), but a tile may reach beyond it.
    uint last_pair = (p.out_dim + panel_rows - 1) / panel_rows * panel_rows - 2;
    [[unroll]] for (uint i = 0; i < w_each; ++i) {
        // Invocations side by side read neighbouring pairs of outputs.
        uint eight = i * gl_WorkGroupSize.x + id, pair = eight % (tile_columns / 2), rest = eight / (tile_columns / 2);
        uint at_k = k + rest * 8;
        if (eight < w_eights && at_k < p.in_dim) {
            uint first = weight_word(min(column + 2 * pair, last_pair));
            Weights8 w = decode_whole(first + at_k / block_size * block_words, at_k % block_size / 8);
            w_next[2 * i] = halves_of(w, 0);
            w_next[2 * i + 1] = halves_of(w, 1);
        }
    }
}

void keep(uint half_of) {
    uint id = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0; i < x_each; ++i) {
        uint eight = i * gl_WorkGroupSize.x + id;
        if (eight < x_eights) x_tile[half_of * x_size + eight / 4 * stride + eight % 4] = x_next[i];
    }
    [[unroll]] for (uint i = 0; i < w_each; ++i) {
        uint eight = i * gl_WorkGroupSize.x + id, pair = eight % (tile_columns / 2), rest = eight / (tile_columns / 2);
        uint to = half_of * w_size + (rest / 4 * tile_columns + 2 * pair) * stride + rest % 4;
        if (eight < w_eights) {
            w_tile[to] = w_next[2 * i];
            w_tile[to + stride] = w_next[2 * i + 1];
        }
    }
}

float row_scale(uint row) { return uintBitsToFloat(at(scales)[first_row + row]); }

void main() {
    open_tile(gl_WorkGroupID.x, tile_rows);
    uint column = p.first_column + gl_WorkGroupID.y * tile_columns;
    if (column >= p.out_dim) return;  // grouped: the last of several equal cuts
    uint part = gl_SubgroupID % parts, slice = gl_SubgroupID / parts;
    uint my_row = part_row(part), my_column = part_column(part);

    Sums sum[down * across];
    [[unroll]] for (uint i = 0; i < down * across; ++i) sum[i] = Sums(0.0);

    fetch(0, column);
    keep(0);
    barrier();
    uint now = 0;
    for (uint k = 0; k < p.in_dim; k += slices * depth, now ^= 1) {
        bool more = k + slices * depth < p.in_dim;
        if (more) fetch(k + slices * depth, column);
        if (k + slice * depth < p.in_dim) {
            uint x_first = now * x_size + (slice * tile_rows + my_row) * stride;
            uint w_first = now * w_size + (slice * tile_columns + my_column) * stride;
            [[unroll]] for (uint d = 0; d < depth; d += matrix_depth) {
                coopmat<float16_t, gl_ScopeSubgroup, matrix_rows, matrix_depth, gl_MatrixUseA> a[down];
                [[unroll]] for (uint i = 0; i < down; ++i)
                    coopMatLoad(a[i], x_tile, x_first + i * matrix_rows * stride + d / 8, stride, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint j = 0; j < across; ++j) {
                    coopmat<float16_t, gl_ScopeSubgroup, matrix_depth, matrix_columns, gl_MatrixUseB> b;
                    coopMatLoad(b, w_tile, w_first + j * matrix_columns * stride + d / 8, stride, gl_CooperativeMatrixLayoutColumnMajor);
                    [[unroll]] for (uint i = 0; i < down; ++i)
                        sum[i * across + j] = coopMatMulAdd(a[i], b, sum[i * across + j]);
                }
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
