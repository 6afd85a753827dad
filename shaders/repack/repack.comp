// Lays the rows of a weight out in panels: unit u of row r goes to (r / 32 * row_units + u) * 32 + r % 32. Rows beyond
// those of the source, up to the end of a panel, become zero. One row a workgroup, along x and then along z;
// 16-bit words along y.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "repack.h"
PUSH(RepackParams);

layout(local_size_x_id = 0) in;

const uint panel_rows = 32;

void main() {
    uint word = gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    uint source_row = gl_WorkGroupID.z * gl_NumWorkGroups.x + gl_WorkGroupID.x, row = p.first_row + source_row;
    if (word >= p.row_words || source_row >= p.written) return;
    uint16_t value = uint16_t(0);
    if (source_row < p.rows) {
        value = at(source)[source_row * p.row_words + word];
        if (p.head_dim != 0) {
            uint i = row % p.head_dim;
            row = row - i + i / 2 + i % 2 * (p.head_dim / 2);
        }
    }
    uint row_units = p.row_words / p.unit_words, u = word / p.unit_words;
    uint to = (row / panel_rows * row_units + u) * panel_rows + row % panel_rows;
    at(panels)[to * p.unit_words + word % p.unit_words] = value;
}
