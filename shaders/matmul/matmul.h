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

SHARED_END
#endif
