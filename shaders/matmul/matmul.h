#ifndef SHADERS_MATMUL_H
#define SHADERS_MATMUL_H
#include "../shared.h"
SHARED_BEGIN

struct MatmulParams {
    In(uint) weight;  // (out_dim, in_dim) in panels
    In(vec4) x;             // (rows, in_dim)
    InOut(float) y;         // (rows, out_dim)
    uint rows;              // tokens
    uint out_dim;           // rows of the weight
    uint in_dim;            // columns of the weight
    uint accumulate;        // 1: y += x w^T, 0: y = x w^T
};

SHARED_END
#endif
