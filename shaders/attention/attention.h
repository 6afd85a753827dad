#ifndef SHADERS_ATTENTION_H
#define SHADERS_ATTENTION_H
#include "../shared.h"
SHARED_BEGIN

// A run of consecutive query tokens of one sequence.
struct QueryTile {
    uint sequence;        // row of block_tables
    uint first_row;       // of its first token in q
    uint tokens;
    uint first_position;  // of its first token in the sequence
};
POINTER(QueryTile, 16)

struct AttentionParams {
    In(vec4) q;                // (rows, heads, head_dim)
    In(CacheQuad) keys;        // (blocks, kv_heads, block_slots, head_dim)
    In(CacheQuad) values;      // the same
    In(uint) block_tables;     // (sequences, table_stride): the cache block of each run of block_slots positions
    In(QueryTile) tiles;
    Out(vec4) y;               // (rows, heads, head_dim)
    Out(vec2) partials;        // (splits, rows, heads, head_dim + 2): weighted sum, greatest score, sum of weights
    uint rows;
    uint heads;
    uint kv_heads;
    uint table_stride;
    uint window;               // keys a query sees, itself included; 0: all before it
    uint chunks;               // workgroups that share the query rows of a tile
    uint split_keys;           // keys per split, a multiple of block_slots
    uint splits;               // 1: y is written, else partials
    float scale;               // of the scores, 1 / sqrt(head_dim)
};

struct AttentionReduceParams {
    In(float) partials;  // as above
    Out(float) y;        // (rows, heads, head_dim)
    uint heads_total;    // rows * heads
    uint head_dim;
    uint splits;
};

SHARED_END
#endif
