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
    In(uvec4) halves;      // coopmat only, in place of x, as the following: x as halve.comp leaves it
    In(float) scales;      // (rows)
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

// x for the kernels that take it in halves: x_i = halves_i * scale, a power of two that brings the greatest of a row to
// 2^14 and above, so that nothing overflows and what a half cannot hold is 2^-39 of the greatest.
struct HalveParams {
    In(float) x;        // (rows / x_share, dim)
    In(uint) order;     // grouped only: the row that becomes row i, as in MatmulParams
    Out(uint) halves;   // (rows, dim / 2), two in a word
    Out(float) scales;  // (rows)
    uint dim;           // even
    uint x_share;
};

SHARED_END
#endif
