// Lays the rows of a weight out in panels: unit u of row r goes to (r / 32 * row_units + u) * 32 + r % 32. Rows beyond
// those of the source, up to the end of a panel, become zero. An invocation brings a run of words of two neighbouring
// rows: 16-bit units of both share a word. Pairs of rows along x, runs along y.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "repack.h"
PUSH(RepackParams);

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint unit_halves = 1;  // 16-bit halves of words in a unit: 1 or 2

const uint run = 16;  // words of a run: a cache line's

// Row of the source that becomes row `row` of the weight.
uint source_row(uint row) {
    uint from = row - p.first_row;
    if (p.halves != 0) return from < p.rows ? from / 2 + from % 2 * (p.rows / 2) : from;
    if (p.head_dim == 0) return from;
    uint i = row % p.head_dim, pairs = p.head_dim / 2;
    return row - i + (i < pairs ? 2 * i : 2 * (i - pairs) + 1) - p.first_row;
}

// The word that begins at a half of the source, which may be the upper one of a word.
uint word_at(uint half_index) {
    uint word = at(source)[half_index / 2];
    return half_index % 2 == 0 ? word : word >> 16 | at(source)[half_index / 2 + 1] << 16;
}

void main() {
    uint pair = gl_WorkGroupID.x * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (pair >= p.pairs) return;
    uint row = p.first_row + 2 * pair, even = source_row(row), odd = source_row(row + 1);
    uint row_units = p.row_halves / unit_halves, panel = row / panel_rows * row_units;

    uint end = min((gl_WorkGroupID.y + 1) * run * 2, p.row_halves);
    for (uint h = gl_WorkGroupID.y * run * 2; h < end; h += 2) {
        uint a = even < p.rows ? word_at(even * p.row_halves + h) : 0;
        uint b = odd < p.rows ? word_at(odd * p.row_halves + h) : 0;
        if (unit_halves == 2) {
            uint to = (panel + h / 2) * panel_rows + row % panel_rows;
            at(panels)[to] = a;
            at(panels)[to + 1] = b;
        } else {
            uint to = ((panel + h) * panel_rows + row % panel_rows) / 2;
            at(panels)[to] = a & 0xffffu | b << 16;
            if (h + 1 < p.row_halves) at(panels)[to + panel_rows / 2] = a >> 16 | b & 0xffff0000u;
        }
    }
}
