// A workgroup that computes a tile of rows x outputs by cooperative matrices (VK_KHR_cooperative_matrix). The tile is cut into
// equal parts and the terms of its sums into slices; each subgroup computes one slice of one part, and the slices are added up.
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require

layout(local_size_x_id = 0) in;  // as many subgroups as there are parts of the tile, times slices
// What one instruction multiplies, a shape that the device lists.
layout(constant_id = 1) const uint matrix_rows = 16;
layout(constant_id = 2) const uint matrix_columns = 16;
layout(constant_id = 3) const uint matrix_depth = 16;
layout(constant_id = 4) const uint tile_rows = 64;
layout(constant_id = 5) const uint tile_columns = 64;
layout(constant_id = 6) const uint part_rows = 32;
layout(constant_id = 7) const uint part_columns = 32;
layout(constant_id = 8) const uint slices = 1;

const uint depth = 32;  // columns that a slice takes at a time
const uint parts = tile_rows / part_rows * (tile_columns / part_columns);
const uint down = part_rows / matrix_rows, across = part_columns / matrix_columns;  // matrices in a part
#define Sums coopmat<float, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator>

const uint matrix_size = matrix_rows * matrix_columns;
shared float joined[parts * slices * matrix_size];  // a matrix of each subgroup

uint part_row(uint part) { return part / (tile_columns / part_columns) * part_rows; }
uint part_column(uint part) { return part % (tile_columns / part_columns) * part_columns; }

float row_scale(uint row);  // what the sums of a row of the tile are yet to be multiplied with

// Stores matrix i of every part, row by row, of a tile from output `column` on. They come by way of shared memory, each
// subgroup's in `joined`: only there it is known which element is where.
void store_joined(uint i, uint column) {
    barrier();
    for (uint e = gl_LocalInvocationIndex; e < parts * matrix_size / 2; e += gl_WorkGroupSize.x) {
        uint part = e / (matrix_size / 2), pair = e % (matrix_size / 2);
        vec2 total = vec2(0.0);
        for (uint s = 0; s < slices; ++s) {
            uint from = (s * parts + part) * matrix_size + 2 * pair;
            total += vec2(joined[from], joined[from + 1]);
        }
        uint row = part_row(part) + i / across * matrix_rows + pair / (matrix_columns / 2);
        uint to = column + part_column(part) + i % across * matrix_columns + pair % (matrix_columns / 2) * 2;
        if (row < row_count) store_pair(row, to, row_scale(row) * total);
    }
    barrier();
}
