// What the matmul kernels share: y = x w^T.
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "matmul.h"
PUSH(MatmulParams);
#include "../formats/format.glsl"

// Index into x of the four elements from 0 on of a row; rows beyond the last repeat it.
uint x_row(uint row) { return min(row, p.rows - 1) * (p.in_dim / 4); }

void store(uint row, uint column, float value) {
    if (row >= p.rows || column >= p.out_dim) return;
    uint i = row * p.out_dim + column;
    at(y)[i] = p.accumulate != 0 ? at(y)[i] + value : value;
}

// Outputs `column`, even, and column + 1.
void store_pair(uint row, uint column, vec2 value) {
    store(row, column, value.x);
    store(row, column + 1, value.y);
}
