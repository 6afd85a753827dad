// Finds a slot on the device for every expert of a layer that is wanted, and lists those to be copied there: one
// workgroup. What was used longest ago makes room; what this layer wants stays.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "experts.h"
PUSH(FetchParams);

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint experts = 8;

shared bool wanted[experts];

// The slot used longest ago, but not now.
uint oldest_slot(uint now) {
    uint oldest = 0;
    for (uint s = 1; s < p.pool_slots; ++s)
        if (at(used)[oldest] == now || at(used)[s] < at(used)[oldest]) oldest = s;
    return oldest;
}

void main() {
    uint id = gl_LocalInvocationIndex;
    for (uint e = id; e < experts; e += gl_WorkGroupSize.x) wanted[e] = false;
    barrier();
    for (uint row = id; row < p.rows; row += gl_WorkGroupSize.x) wanted[at(chosen)[row]] = true;
    barrier();
    if (id != 0) return;

    uint now = ++at(counters)[counter_clock], copies = 0;
    for (uint e = 0; e < experts; ++e) {
        uint slot = at(slot_of)[p.first + e];
        if (!wanted[e] || slot == no_slot) continue;
        at(used)[slot] = now;
        at(counters)[counter_hits] += 1;
    }
    for (uint e = 0; e < experts; ++e) {
        if (!wanted[e] || at(slot_of)[p.first + e] != no_slot) continue;
        uint slot = oldest_slot(now);
        if (at(owner)[slot] != no_slot) at(slot_of)[at(owner)[slot]] = no_slot;
        at(owner)[slot] = p.first + e;
        at(slot_of)[p.first + e] = slot;
        at(used)[slot] = now;
        at(copies)[copies] = ExpertCopy(e, slot);
        ++copies;
    }
    at(counters)[counter_misses] += copies;
    at(groups)[0] = p.columns;
    at(groups)[1] = copies;
    at(groups)[2] = 1;
}
