#ifndef SHADERS_MATMUL_H
#define SHADERS_MATMUL_H
#include "../experts/experts.h"
#include "../shared.h"
SHARED_BEGIN

// What becomes of a product.
SHARED_CONSTANT epilogue_store = 0;   // y = x w^T
SHARED_CONSTANT epilogue_add = 1;     // y += x w^T
SHARED_CONSTANT epilogue_swiglu = 2;  // rows 2i and 2i + 1 of the weight are gate and up: y_i = silu(x w_2i) * x w_2i+1

struct MatmulParams {
    In(uint) weight;       // (out_dim, in_dim) in panels; grouped: one after another in slots
    In(uint) codebook;     // of codebooks.h, for formats that have one
    In(vec4) x;            // (rows, in_dim)
    In(uvec4) packed;      // by matrices and dot only, in place of x, as the following: x as halve.comp or quantise.comp leaves it
    In(uint) scales;       // their scales
    InOut(float) y;        // (rows, out_dim), or half as wide (swiglu)
    In(ExpertTile) tiles;  // grouped only, as the following: see experts.h
    In(uint) order;        // (rows)
    In(uint) slots;        // (experts): where each expert's weight lies
    uint rows;             // of x and y; grouped: routed ones
    uint out_dim;          // rows of the weight
    uint in_dim;           // columns of the weight
    uint first_column;     // row of the weight that this dispatch begins with, whole workgroups from 0
    uint epilogue;
    uint x_share;          // grouped: routed rows that read the same row of x
    uint slot_words;       // grouped: from a slot to the next
};

// x for coopmat and coopmat2, in halves: x_i = halves_i * scale, a power of two that brings the greatest of a row to
// 2^14 and above, so that nothing overflows and what a half cannot hold is 2^-39 of the greatest.
struct HalveParams {
    In(float) x;        // (rows / x_share, dim)
    In(uint) order;     // grouped only: the row that becomes row i, as in MatmulParams
    Out(uint) halves;   // (rows, dim / 2), two in a word
    Out(float) scales;  // (rows)
    uint dim;           // even
    uint x_share;
};

// x for dot, in bytes. Each block of 32 elements shares a scale: x_i = bytes_i * scale, to half the scale, which is the
// greatest of the block / 127. A block with an infinity or a NaN has a scale that is NaN; one that is all below 2^-118 is
// taken for zeros, so that neither the scale nor half of it is subnormal.
struct QuantiseParams {
    In(vec4) x;        // (rows / x_share, dim)
    In(uint) order;    // as in HalveParams
    Out(uvec4) bytes;  // (rows, dim / 16)
    Out(uint) scales;  // (rows, dim / 32, 2): the scale, f32, and the sums of both halves of the block, 16 bits each
    uint dim;          // a multiple of 32
    uint x_share;
};

SHARED_END
#endif
