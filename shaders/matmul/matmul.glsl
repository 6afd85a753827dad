// What the matmul kernels share: y = x w^T.
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "../formats/unit.glsl"
#include "matmul.h"
PUSH(MatmulParams);
#include "../formats/format.glsl"

// Four consecutive elements of row `row` of x, from element k on, a multiple of 4.
#define x4(row, k) at(x)[((row) * p.in_dim + (k)) / 4]

void store(uint row, uint column, float value) {
    if (row >= p.rows || column >= p.out_dim) return;
    uint i = row * p.out_dim + column;
    at(y)[i] = p.accumulate != 0 ? at(y)[i] + value : value;
}
