// Lays the rows of a weight out in panels: unit u of row r goes to (r / 32 * row_units + u) * 32 + r % 32. Rows beyond
// those of the source, up to the end of a panel, become zero. One row a workgroup in y, 16-bit words along x.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "repack.h"
PUSH(RepackParams);

layout(local_size_x_id = 0) in;

const uint panel_rows = 32;

void main() {
    uint word = gl_WorkGroupID.x * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (word >= p.row_words) return;
    uint row = p.first_row + gl_WorkGroupID.y;
    if (p.head_dim != 0) {
        uint i = row % p.head_dim;
        row = row - i + i / 2 + i % 2 * (p.head_dim / 2);
    }
    uint16_t value = uint16_t(0);
    if (gl_WorkGroupID.y < p.rows) value = at(source)[gl_WorkGroupID.y * p.row_words + word];
    uint row_units = p.row_words / p.unit_words, u = word / p.unit_words;
    uint to = (row / panel_rows * row_units + u) * panel_rows + row % panel_rows;
    at(panels)[to * p.unit_words + word % p.unit_words] = value;
}
