#ifndef SHADERS_ROPE_H
#define SHADERS_ROPE_H
#include "../shared.h"
SHARED_BEGIN

struct RopeParams {
    InOut(float) q;            // (rows, heads, head_dim), turned in place
    In(float) k;               // (rows, kv_heads, head_dim)
    In(float) v;               // (rows, kv_heads, head_dim)
    In(uint) positions;        // (rows)
    In(uint) slots;            // (rows), where in the cache
    In(float) angles;          // (positions, head_dim / 2, 2): cosine and sine
    Out(CacheElement) keys;    // (blocks, kv_heads, block_slots, head_dim)
    Out(CacheElement) values;  // the same
    uint heads;
    uint kv_heads;
    uint head_dim;
};

SHARED_END
#endif
