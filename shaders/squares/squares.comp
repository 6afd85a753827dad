// Sums the squares of each column of x, of all rows or of those routed to each expert. An invocation has a column of an expert
// and takes the rows in turn, so that the sum is the same on every run.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "squares.h"
PUSH(SquaresParams);

layout(local_size_x_id = 0) in;

void main() {
    uint column = gl_GlobalInvocationID.x, expert = gl_WorkGroupID.y, count = 0;
    if (column >= p.dim) return;
    float sum = 0.0;
    for (uint row = 0; row < p.rows; ++row) {
#if defined(ROWS_GROUPED)
        if (at(chosen)[row] != expert) continue;
        float value = at(x)[row / p.x_share * p.dim + column];
#else
        float value = at(x)[row * p.dim + column];
#endif
        sum += value * value;
        ++count;
    }
    at(sums)[expert * p.dim + column] += sum;
    if (column == 0) at(counts)[expert] += count;
}
