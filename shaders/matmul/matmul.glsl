// What the matmul kernels share. A kernel computes tiles of rows: of all rows, or in the grouped variant of those routed to
// one expert (experts.h).
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "matmul.h"
PUSH(MatmulParams);
#include "../formats/format.glsl"

// The tile that this workgroup computes, set by open_tile().
uint first_row, row_count, first_weight_word;

void open_tile(uint index, uint tile_rows) {
#if defined(ROWS_GROUPED)
    ExpertTile tile = at(tiles)[index];
    first_row = tile.first;
    row_count = tile.rows;
    first_weight_word = at(slots)[tile.expert] * p.slot_words;
#else
    first_row = index * tile_rows;
    row_count = min(tile_rows, p.rows - first_row);
    first_weight_word = 0;
#endif
}

// Row `row` of the tile as a row of y.
uint y_row(uint row) {
#if defined(ROWS_GROUPED)
    return at(order)[first_row + row];
#else
    return first_row + row;
#endif
}

// Index into x of the four elements from 0 on of a row of the tile; rows beyond its last repeat it.
uint x_row(uint row) {
    uint from = y_row(min(row, row_count - 1));
#if defined(ROWS_GROUPED)
    from /= p.x_share;
#endif
    return from * (p.in_dim / 4);
}

// Index of the first word of the weight's rows `column`, even, and column + 1.
uint weight_word(uint column) { return first_weight_word + first_word(column, p.in_dim); }

void store(uint row, uint column, uint width, float value) {
    if (column >= width) return;
    uint i = y_row(row) * width + column;
    at(y)[i] = p.epilogue == epilogue_add ? at(y)[i] + value : value;
}

// Products with the weight's rows `column`, even, and column + 1.
void store_pair(uint row, uint column, vec2 value) {
    if (row >= row_count) return;
    if (p.epilogue == epilogue_swiglu) {
        // For a gate far below zero exp overflows to infinity and the quotient is the right limit, 0.
        store(row, column / 2, p.out_dim / 2, value.x / (1.0 + exp(-value.x)) * value.y);
    } else {
        store(row, column, p.out_dim, value.x);
        store(row, column + 1, p.out_dim, value.y);
    }
}
