#ifndef SHADERS_EXPERTS_H
#define SHADERS_EXPERTS_H
#include "../shared.h"
SHARED_BEGIN

// A routed row is one (token, expert) pair, token * top_k + choice. Sorted by expert they are cut into tiles.
struct ExpertTile {
    uint expert;
    uint first;  // of its rows in the order by expert
    uint rows;
};
POINTER(ExpertTile, 4)

struct RouteParams {
    In(float) logits;      // (tokens, experts)
    Out(uint) chosen;      // (tokens, top_k), the greatest first
    InOut(float) weights;  // (tokens, top_k), their softmax
    uint tokens;
    uint experts;
    uint top_k;
};

struct SortParams {
    In(uint) chosen;         // (rows): the expert of each routed row
    Out(uint) order;         // (rows): the routed rows by expert
    Out(ExpertTile) tiles;   // at most tile_rows rows each, by expert
    Out(uint) groups;        // (2, 3): workgroups of the indirect dispatches: tiles x columns[i] x 1
    uint rows;
    uint tile_rows;
    uint columns[2];
};

struct CombineParams {
    In(float) y;        // (tokens, top_k, dim)
    In(float) weights;  // (tokens, top_k)
    InOut(float) x;     // (tokens, dim): x += the weighted sum of the experts
    uint top_k;
    uint dim;
};

// An expert that is to be copied to a slot.
struct ExpertCopy {
    uint expert;
    uint slot;
};
POINTER(ExpertCopy, 4)

SHARED_CONSTANT no_slot = 0xffffffff;
SHARED_CONSTANT counter_clock = 0;   // indices into counters
SHARED_CONSTANT counter_hits = 1;    // experts that were wanted and in a slot
SHARED_CONSTANT counter_misses = 2;  // and those that were not
SHARED_CONSTANT copied_words = 16;   // by one invocation

struct FetchParams {
    In(uint) chosen;         // (rows): the expert of each routed row
    InOut(uint) slot_of;     // (experts of all layers that share the pool): its slot, or no_slot
    InOut(uint) owner;       // (pool_slots): index into slot_of, or no_slot
    InOut(uint) used;        // (pool_slots): when it was last used, by the clock
    InOut(uint) counters;
    Out(ExpertCopy) copies;  // (experts): what is to be copied
    Out(uint) groups;        // (3): workgroups of the copy: columns x copies x 1
    uint rows;
    uint first;              // of the layer's experts in slot_of
    uint pool_slots;         // at least as many as a layer has experts
    uint columns;
};

struct CopyParams {
    In(ExpertCopy) copies;
    In(uint) store;   // (experts, words) in host memory
    Out(uint) pool;   // (pool_slots, slot_words)
    uint words;       // of an expert of this layer
    uint slot_words;  // of a slot: the largest expert's
};

SHARED_END
#endif
