#ifndef SHADERS_ROPE_H
#define SHADERS_ROPE_H
#include "../shared.h"
SHARED_BEGIN

struct RopeParams {
    In(float) q;               // q, k and v are columns of rows that may hold the others, too
    In(float) k;
    In(float) v;
    Out(float) turned;         // (rows, heads, head_dim): q
    In(uint) positions;        // (rows)
    In(uint) slots;            // (rows), where in the cache
    In(float) angles;          // (positions, head_dim / 2, 2): cosine and sine
    Out(CacheElement) keys;    // (blocks, kv_heads, block_slots, head_dim)
    Out(CacheElement) values;  // the same
    uint q_row;                // elements from a row to the next
    uint k_row;
    uint v_row;
    uint q_first;              // the first column
    uint k_first;
    uint v_first;
    uint heads;
    uint kv_heads;
    uint head_dim;
};

SHARED_END
#endif
