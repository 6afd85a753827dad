// Counting sort of the routed rows by expert, and the list of tiles that the grouped products run over: one workgroup. The
// order of the rows of an expert may differ from run to run; no result depends on it.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "experts.h"
PUSH(SortParams);

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint experts = 8;

shared uint counts[experts];
shared uint next[experts];        // where the next row of the expert goes
shared uint first_tile[experts];

uint tiles_of(uint expert) { return (counts[expert] + p.tile_rows - 1) / p.tile_rows; }

void main() {
    uint id = gl_LocalInvocationIndex;
    for (uint e = id; e < experts; e += gl_WorkGroupSize.x) counts[e] = 0;
    barrier();
    for (uint row = id; row < p.rows; row += gl_WorkGroupSize.x) atomicAdd(counts[at(chosen)[row]], 1);
    barrier();
    if (id == 0) {
        uint row = 0, tile = 0;
        for (uint e = 0; e < experts; ++e) {
            next[e] = row;
            first_tile[e] = tile;
            row += counts[e];
            tile += tiles_of(e);
        }
        for (uint i = 0; i < 2; ++i) {
            at(groups)[3 * i] = tile;
            at(groups)[3 * i + 1] = p.columns[i];
            at(groups)[3 * i + 2] = 1;
        }
    }
    barrier();
    for (uint e = id; e < experts; e += gl_WorkGroupSize.x)
        for (uint t = 0; t < tiles_of(e); ++t) {
            uint done = t * p.tile_rows;
            at(tiles)[first_tile[e] + t] = ExpertTile(e, next[e] + done, min(p.tile_rows, counts[e] - done));
        }
    barrier();
    for (uint row = id; row < p.rows; row += gl_WorkGroupSize.x) at(order)[atomicAdd(next[at(chosen)[row]], 1)] = row;
}
