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

SHARED_END
#endif
