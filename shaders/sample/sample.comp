// Chooses a token per row: repetition penalty (Keskar et al. 2019), temperature, top-k, top-p (Holtzman et al. 2019) and
// min-p, in this order, each on what the ones before it left. One workgroup a row.
//
// Instead of sorting, the least logit that is kept is found bit by bit: floats compare as their ordered bit patterns.
// Tokens tied with the least are all kept.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "sample.h"
PUSH(SampleParams);

layout(local_size_x_id = 0) in;

shared float shared_sum[gl_WorkGroupSize.x];
shared uint shared_token[gl_WorkGroupSize.x];

SampleRow how;

bool is_seen(uint token) {
    bool seen = (at(seen)[how.slot * ((p.vocabulary + 31) / 32) + token / 32] >> token % 32 & 1u) != 0;
    for (uint i = 0; i < how.guesses; ++i) seen = seen || at(tokens)[how.first_guess + i] == token;
    return seen;
}

float penalised(uint token) {
    float z = at(logits)[how.row * p.vocabulary + token];
    bool seen = is_seen(token);
    return !seen ? z : z > 0.0 ? z / how.repetition_penalty : z * how.repetition_penalty;
}

// Bit patterns that compare as the floats do.
uint ordered(float value) {
    uint bits = floatBitsToUint(value);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

float workgroup_sum(float value) {
    value = subgroupAdd(value);
    barrier();
    if (subgroupElect()) shared_sum[gl_SubgroupID] = value;
    barrier();
    float total = 0.0;
    for (uint i = 0; i < gl_NumSubgroups; ++i) total += shared_sum[i];
    return total;
}

// Sum over tokens at or above `least`: of their weights, or of ones.
float mass(uint least, float greatest, bool count) {
    float sum = 0.0;
    for (uint t = gl_LocalInvocationIndex; t < p.vocabulary; t += gl_WorkGroupSize.x) {
        float z = penalised(t);
        if (ordered(z) >= least) sum += count ? 1.0 : exp((z - greatest) / how.temperature);
    }
    return workgroup_sum(sum);
}

// The highest bar, at or above `least`, that still lets through `enough`.
uint highest_bar(uint least, float greatest, bool count, float enough) {
    uint bar = 0;
    for (int bit = 31; bit >= 0; --bit) {
        uint higher = bar | 1u << bit;
        if (mass(max(higher, least), greatest, count) >= enough) bar = higher;
    }
    return max(bar, least);
}

void main() {
    how = at(how)[gl_WorkGroupID.x];
    uint id = gl_LocalInvocationIndex;

    // The greatest logit and its first token; anything that is not a number wins, to be reported.
    float greatest = uintBitsToFloat(0xff800000u);  // minus infinity
    uint token = 0xffffffffu;
    bool broken = false;
    for (uint t = id; t < p.vocabulary; t += gl_WorkGroupSize.x) {
        float z = penalised(t);
        broken = broken || isnan(z);
        if (z > greatest || token == 0xffffffffu) {
            greatest = z;
            token = t;
        }
    }
    shared_sum[id] = broken ? uintBitsToFloat(0x7fc00000u) : greatest;
    shared_token[id] = token;
    barrier();
    for (uint i = 0; i < gl_WorkGroupSize.x; ++i) {
        float other = shared_sum[i];
        broken = broken || isnan(other);
        if (other > greatest || other == greatest && shared_token[i] < token) {
            greatest = other;
            token = shared_token[i];
        }
    }
    barrier();

    if (how.temperature > 0.0 && !broken) {
        uint least = 0;
        if (how.top_k != 0) least = highest_bar(least, greatest, true, float(how.top_k));
        if (how.top_p < 1.0) least = highest_bar(least, greatest, false, how.top_p * mass(least, greatest, false));
        if (how.min_p > 0.0) least = max(least, ordered(greatest + how.temperature * log(how.min_p)));

        // The token at which the running weight passes uniform_number * total, in the order of the vocabulary.
        uint each = (p.vocabulary + gl_WorkGroupSize.x - 1) / gl_WorkGroupSize.x;
        uint from = id * each, to = min(from + each, p.vocabulary);
        float mine = 0.0;
        for (uint t = from; t < to; ++t) {
            float z = penalised(t);
            if (ordered(z) >= least) mine += exp((z - greatest) / how.temperature);
        }
        barrier();  // the sums above may still be read
        shared_sum[id] = mine;
        barrier();
        float before = 0.0, total = 0.0;
        for (uint i = 0; i < gl_WorkGroupSize.x; ++i) {
            if (i < id) before += shared_sum[i];
            total += shared_sum[i];
        }
        float target = how.uniform_number * total;
        barrier();
        if (id == 0) shared_token[0] = token;  // should rounding leave nobody past the target, the greatest is taken
        barrier();
        if (mine > 0.0 && before <= target && target < before + mine) {
            float running = before;
            uint chosen = token;
            for (uint t = from; t < to; ++t) {
                float z = penalised(t);
                if (ordered(z) < least) continue;
                running += exp((z - greatest) / how.temperature);
                chosen = t;
                if (running > target) break;
            }
            shared_token[0] = chosen;
        }
        barrier();
        token = shared_token[0];
    }
    if (id == 0) {
        at(sampled)[gl_WorkGroupID.x] = broken ? no_token : token;
        if (how.keep != 0) at(chosen)[how.slot] = broken ? 0 : token;
    }
}
