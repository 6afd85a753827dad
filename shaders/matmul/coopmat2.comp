// y = x w^T by cooperative matrices of any size (VK_NV_cooperative_matrix2): operands in halves, sums in f32.
//
// A workgroup computes a tile of rows x outputs as two matrices, the products with the weight's even rows and with its odd ones:
// so whoever decodes a weight knows in which half of a word it is, and a gate (swiglu) lies where its factor does. What is said
// for an element is done by functions that may be called for it more than once.
//
// LOADS_TENSOR takes both operands by tensor layouts, the weight through a function that decodes an element of it; together with
// the scope of a workgroup, in which all of a workgroup's invocations share a matrix, it is for GPUs. LOADS_ELEMENTS needs less of a
// device: the same function fills the matrices element by element. Only LOADS_ELEMENTS in the scope of a subgroup could be run
// so far, for want of a device with more; LOADS_TENSOR is compiled and validated.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_EXT_buffer_reference : require
#include "matmul.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int scope = gl_ScopeSubgroup;  // of the matrices: who holds them
layout(constant_id = 2) const uint tile_rows = 16;
layout(constant_id = 3) const uint tile_pairs = 16;  // of outputs
layout(constant_id = 4) const uint depth = 16;       // columns of x and of the weight that are multiplied at a time

#define X coopmat<float16_t, scope, tile_rows, depth, gl_MatrixUseA>
#define Weights coopmat<float16_t, scope, depth, tile_pairs, gl_MatrixUseB>
#define Sums coopmat<float, scope, tile_rows, tile_pairs, gl_MatrixUseAccumulator>

// Weight i of the block of both rows whose first word is `first`, of the even row or the odd one.
float decode_one(uint first, uint i, uint odd) {
#if defined(DECODED_F16)
    return unpackHalf2x16(word(first, i))[odd];
#elif defined(DECODED_BF16)
    return uintBitsToFloat(each(word(first, i))[odd] << 16);
#else
    uint part = i / 8;
    int q = bitfieldExtract(int(integers(first, part, i % 8 / 2)), int(16 * odd + 8 * (i % 2)), 8);
    float w = integer_scale(first, part)[odd] * float(q - integer_offset);
    return has_minimum ? w + integer_minimum(first, part)[odd] : w;
#endif
}

// Column k of the weight's row 2 * pair + odd, which is in a panel.
float16_t weight_at(uint k, uint pair, uint odd) {
    return float16_t(decode_one(weight_word(2 * pair) + k / block_size * block_words, k % block_size, odd));
}

#if defined(LOADS_TENSOR)
// What a decoder is to take: where a layout without blocks would find an element. It goes by the coordinates instead.
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer Place { uint unused; };
float16_t decode_even(const in Place place, const in uint at_block[2], const in uint in_block[2]) {
    return weight_at(at_block[0], at_block[1], 0);
}
float16_t decode_odd(const in Place place, const in uint at_block[2], const in uint in_block[2]) {
    return weight_at(at_block[0], at_block[1], 1);
}
#else
// Elements of matrices that begin at column k of x, or at column k of the weight's pair `first`: 0 beyond the edges, as it comes
// of a tensor layout.
float16_t x_element(const in uint row, const in uint column, const in float16_t old, const in uint k) {
    uint at_k = k + column;
    if (row >= row_count || at_k >= p.in_dim) return float16_t(0.0);
    return unpackFloat2x16(at(packed)[(first_row + row) * (p.in_dim / 8) + at_k / 8][at_k % 8 / 2])[at_k % 2];
}
float16_t weight_element(const in uint row, const in uint column, const in float16_t old, const in uint k, const in uint first,
                         const in uint odd) {
    if (k + row >= p.in_dim || 2 * (first + column) >= p.out_dim) return float16_t(0.0);
    return weight_at(k + row, first + column, odd);
}
#endif

// The epilogue. y's element that a pair's even or odd product becomes; the gate's product stands for both.
uint first_of_y, width;
uint y_column(uint pair, uint odd) { return first_of_y + (p.epilogue == epilogue_swiglu ? pair : 2 * pair + odd); }
bool in_y(uint row, uint pair, uint odd) { return row < row_count && y_column(pair, odd) < width; }
uint y_index(uint row, uint pair, uint odd) { return y_row(row) * width + y_column(pair, odd); }

float scaled(const in uint row, const in uint pair, const in float value) {
    return value * uintBitsToFloat(at(scales)[first_row + min(row, row_count - 1)]);
}
float silu(const in uint row, const in uint pair, const in float value) { return value / (1.0 + exp(-value)); }
float added(const in uint row, const in uint pair, const in float value, const in uint odd) {
    return in_y(row, pair, odd) ? at(y)[y_index(row, pair, odd)] + value : value;
}
float stored(const in uint row, const in uint pair, const in float value, const in uint odd) {
    if (in_y(row, pair, odd)) at(y)[y_index(row, pair, odd)] = value;
    return value;
}

void main() {
    open_tile(gl_WorkGroupID.x, tile_rows);
    uint column = p.first_column + gl_WorkGroupID.y * 2 * tile_pairs;
    if (column >= p.out_dim) return;  // grouped: the last of several equal cuts
    uint first_pair = column / 2;

#if defined(LOADS_TENSOR)
    tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> x_layout =
        createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
    x_layout = setTensorLayoutDimensionNV(x_layout, row_count, p.in_dim);
    tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> w_layout =
        createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
    w_layout = setTensorLayoutDimensionNV(w_layout, p.in_dim, (p.out_dim + 1) / 2);
#endif

    Sums even_sum = Sums(0.0), odd_sum = Sums(0.0);
    for (uint k = 0; k < p.in_dim; k += depth) {
        X x = X(0.0);
        Weights even = Weights(0.0), odd = Weights(0.0);
#if defined(LOADS_TENSOR)
        coopMatLoadTensorNV(x, at(packed), first_row * (p.in_dim / 8), sliceTensorLayoutNV(x_layout, 0, tile_rows, k, depth));
        coopMatLoadTensorNV(even, at(weight), 0, sliceTensorLayoutNV(w_layout, k, depth, first_pair, tile_pairs), decode_even);
        coopMatLoadTensorNV(odd, at(weight), 0, sliceTensorLayoutNV(w_layout, k, depth, first_pair, tile_pairs), decode_odd);
#else
        coopMatPerElementNV(x, x, x_element, k);
        coopMatPerElementNV(even, even, weight_element, k, first_pair, 0u);
        coopMatPerElementNV(odd, odd, weight_element, k, first_pair, 1u);
#endif
        even_sum = coopMatMulAdd(x, even, even_sum);
        odd_sum = coopMatMulAdd(x, odd, odd_sum);
    }

    coopMatPerElementNV(even_sum, even_sum, scaled);
    coopMatPerElementNV(odd_sum, odd_sum, scaled);
    bool gated = p.epilogue == epilogue_swiglu;
    width = gated ? p.out_dim / 2 : p.out_dim;
    first_of_y = gated ? first_pair : column;
    if (gated) {
        coopMatPerElementNV(even_sum, even_sum, silu);
        even_sum *= odd_sum;
    } else if (p.epilogue == epilogue_add) {
        coopMatPerElementNV(even_sum, even_sum, added, 0u);
        coopMatPerElementNV(odd_sum, odd_sum, added, 1u);
        // Nothing is stored before all is read.
        controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsBuffer, gl_SemanticsAcquireRelease);
    }
    coopMatPerElementNV(even_sum, even_sum, stored, 0u);
    if (!gated) coopMatPerElementNV(odd_sum, odd_sum, stored, 1u);
}
