// Chooses a token per row: repetition penalty (Keskar et al. 2019), temperature, top-k, top-p (Holtzman et al. 2019) and
// min-p, in this order, each on what the ones before it left. One workgroup a row, of two subgroups at least.
//
// Instead of sorting, the least logit that is kept is found by narrowing an interval of floats with several bars a pass.
// Tokens tied with the least are all kept. Weights are summed as integers: the sums, and with them the token, are the same
// in whatever order the device adds.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "sample.h"
PUSH(SampleParams);

layout(local_size_x_id = 0) in;

const uint bars_a_pass = 8;
const uint most_listed = 2048;
const float near = 8.0;  // temperatures below the greatest logit: what is kept mostly lies there

shared uint shared_greatest, shared_token, shared_listed;
shared uint shared_sums[3 * bars_a_pass];
shared float shared_list[most_listed];
shared uvec3 shared_pieces[gl_WorkGroupSize.x];  // one per subgroup; a subgroup may be one invocation

SampleRow how;
float greatest;    // logit of the row
uint first, last;  // an invocation looks at tokens first, first + gl_SubgroupSize ... below last

float infinity() { return uintBitsToFloat(0x7f800000u); }

// Size of the pieces when each subgroup takes one.
uint piece_of(uint count) { return (count + gl_NumSubgroups - 1) / gl_NumSubgroups; }

bool is_seen(uint token) {
    bool seen = (at(seen)[how.choice_row * ((p.vocabulary + 31) / 32) + token / 32] >> token % 32 & 1u) != 0;
    for (uint i = 0; i < how.guesses; ++i) seen = seen || at(tokens)[how.first_guess + i] == token;
    return seen;
}

float penalised(uint token) {
    float z = at(logits)[how.row * p.vocabulary + token];
    if (how.repetition_penalty == 1.0 || !is_seen(token)) return z;
    return z > 0.0 ? z / how.repetition_penalty : z * how.repetition_penalty;
}

// Bit patterns that compare as the floats do, and back.
uint ordered(float value) {
    uint bits = floatBitsToUint(value);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
const uint not_a_number = 0xffffffffu;  // above all of them
float from_ordered(uint bits) { return uintBitsToFloat((bits & 0x80000000u) != 0 ? bits & 0x7fffffffu : ~bits); }

// Logits after the penalty, which are kept for the passes after the first. An invocation reads back what it wrote itself.
uint kept(uint token) { return gl_WorkGroupID.x * p.vocabulary + token; }

// A number from 0 to 2^23, rounded: CPU implementations convert one at a time.
uint rounded(float value) { return floatBitsToUint(value + 8388608.0) & 0x7fffffu; }

// Tokens are summed up as (weight in units of 2^-14, what that leaves in units of 2^-28, number of tokens), where the
// greatest logit weighs 1. With less than 2^18 tokens no sum overflows.
uvec3 mass_of(float z) {
    float weight = exp((z - greatest) / how.temperature) * 16384.0, whole = floor(weight);
    return uvec3(rounded(whole), rounded((weight - whole) * 16384.0), 1u);
}
float weight_of(uvec3 mass) { return float(mass.x) * 16384.0 + float(mass.y); }

// Sets the greatest logit and keeps what the penalty left. Returns the greatest logit's first token, or no_token if a logit
// is not a number.
uint find_greatest() {
    greatest = -infinity();
    uint token = no_token;
    bool broken = false;
    for (uint t = first; t < last; t += gl_SubgroupSize) {
        float z = penalised(t);
        if (how.temperature > 0.0) at(penalised)[kept(t)] = z;
        broken = broken || isnan(z);
        if (z > greatest || token == no_token) {
            greatest = z;
            token = t;
        }
    }
    if (gl_LocalInvocationIndex == 0) {
        shared_greatest = 0;
        shared_token = no_token;
    }
    barrier();
    uint key = subgroupMax(broken ? not_a_number : ordered(greatest));
    if (subgroupElect()) atomicMax(shared_greatest, key);
    barrier();
    bool holds_it = greatest == from_ordered(shared_greatest);
    greatest = from_ordered(shared_greatest);
    if (holds_it && shared_greatest != not_a_number) atomicMin(shared_token, token);
    barrier();
    return shared_token;
}

// Makes sums of each invocation those of the workgroup.
void add_up(inout uvec3 sums[bars_a_pass]) {
    barrier();  // the sums before may still be read
    for (uint i = gl_LocalInvocationIndex; i < 3 * bars_a_pass; i += gl_WorkGroupSize.x) shared_sums[i] = 0;
    barrier();
    [[unroll]] for (uint i = 0; i < bars_a_pass; ++i) {
        uvec3 sum = subgroupAdd(sums[i]);
        if (subgroupElect())
            [[unroll]] for (uint k = 0; k < 3; ++k) atomicAdd(shared_sums[3 * i + k], sum[k]);
    }
    barrier();
    [[unroll]] for (uint i = 0; i < bars_a_pass; ++i)
        sums[i] = uvec3(shared_sums[3 * i], shared_sums[3 * i + 1], shared_sums[3 * i + 2]);
}

// Lists the logits in [low, high), of which shared_listed then is the number, and sums up the tokens at or above `least`.
uvec3 list(float low, float high, float least) {
    barrier();  // the list before may still be read
    if (gl_LocalInvocationIndex == 0) shared_listed = 0;
    barrier();
    uvec3 sums[bars_a_pass];
    [[unroll]] for (uint i = 0; i < bars_a_pass; ++i) sums[i] = uvec3(0);
    for (uint t = first; t < last; t += gl_SubgroupSize) {
        float z = at(penalised)[kept(t)];
        sums[0] += z >= least ? mass_of(z) : uvec3(0);
        if (z >= low && z < high) {
            uint place = atomicAdd(shared_listed, 1);
            if (place < most_listed) shared_list[place] = z;
        }
    }
    add_up(sums);
    return sums[0];
}

// Sums up the tokens, of the list or of all, at or above each bar.
void sum_above(bool listed, uint bars[bars_a_pass], out uvec3 sums[bars_a_pass]) {
    float least[bars_a_pass];
    [[unroll]] for (uint i = 0; i < bars_a_pass; ++i) {
        least[i] = from_ordered(bars[i]);
        sums[i] = uvec3(0);
    }
    uint from = listed ? gl_LocalInvocationIndex : first, to = listed ? shared_listed : last;
    for (uint t = from; t < to; t += listed ? gl_WorkGroupSize.x : gl_SubgroupSize) {
        float z = listed ? shared_list[t] : at(penalised)[kept(t)];
        uvec3 mass = mass_of(z);
        [[unroll]] for (uint i = 0; i < bars_a_pass; ++i) sums[i] += z >= least[i] ? mass : uvec3(0);
    }
    add_up(sums);
}

// What a filter keeps at least.
struct Enough {
    uint tokens;
    float weight;
};
bool reaches(uvec3 sum, Enough enough) { return sum.z >= enough.tokens && weight_of(sum) >= enough.weight; }

// Where the bar lies, in ordered floats: the tokens at or above low are enough, those at or above high are not.
struct Range {
    uint low, high;
    uvec3 above_low, above_high;
};

void narrow(inout Range range, uint bars[bars_a_pass], uvec3 sums[bars_a_pass], Enough enough) {
    bool passed = false;
    [[unroll]] for (uint i = 0; i < bars_a_pass; ++i) {
        if (reaches(sums[i], enough)) {
            range.low = bars[i];
            range.above_low = sums[i];
        } else if (!passed) {
            range.high = bars[i];
            range.above_high = sums[i];
            passed = true;
        }
    }
}

// The highest bar, or one that lets the same tokens through, that is at or above `least` and lets through so many tokens
// and that share of the weight that `least` lets through.
float highest_bar(float least, uint tokens, float share) {
    // The first bars, in temperatures below the greatest logit.
    const float distances[bars_a_pass - 1] = {16.0, 12.0, near, 5.5, 3.5, 2.0, 1.0};
    uint bars[bars_a_pass];
    uvec3 sums[bars_a_pass], above_list = uvec3(0);
    float bottom = max(least, greatest - near * how.temperature);
    Enough enough = Enough(tokens, share * weight_of(list(bottom, infinity(), least)));
    bool listed = shared_listed <= most_listed;
    for (;;) {
        if (!listed) bottom = least;
        bars[0] = ordered(bottom);
        [[unroll]] for (uint i = 1; i < bars_a_pass; ++i)
            bars[i] = ordered(max(bottom, greatest - distances[i - 1] * how.temperature));
        sum_above(listed, bars, sums);
        if (!listed || reaches(sums[0], enough)) break;
        listed = false;
    }
    Range range = Range(bars[0], ordered(greatest) + 1, sums[0], uvec3(0));
    narrow(range, bars, sums, enough);
    while (range.high - range.low > 1 && range.above_low.z - range.above_high.z > 1) {
        if (!listed && range.above_low.z - range.above_high.z <= most_listed) {
            list(from_ordered(range.low), from_ordered(range.high), least);
            above_list = range.above_high;
            listed = true;
        }
        uint step = max(1, (range.high - range.low) / (bars_a_pass + 1));
        [[unroll]] for (uint i = 0; i < bars_a_pass; ++i) bars[i] = min(range.low + (i + 1) * step, range.high - 1);
        sum_above(listed, bars, sums);
        if (listed)
            [[unroll]] for (uint i = 0; i < bars_a_pass; ++i) sums[i] += above_list;
        narrow(range, bars, sums, enough);
    }
    return from_ordered(range.low);
}

// The token at which the running weight passes uniform_number of the whole, in the order of the vocabulary, among those at
// or above `least`. Each subgroup sums a piece, and the piece that holds the token is cut anew.
uint draw(float least) {
    uvec3 mine = uvec3(0), before = uvec3(0);
    for (uint t = first; t < last; t += gl_SubgroupSize) {
        float z = at(penalised)[kept(t)];
        mine += z >= least ? mass_of(z) : uvec3(0);
    }
    uint from = 0, to = p.vocabulary, each = piece_of(p.vocabulary);
    float target = -1.0;
    for (;;) {
        mine = subgroupAdd(mine);
        barrier();  // the pieces before may still be read
        if (subgroupElect()) shared_pieces[gl_SubgroupID] = mine;
        barrier();
        if (target < 0.0) {
            uvec3 all = uvec3(0);
            for (uint i = 0; i < gl_NumSubgroups; ++i) all += shared_pieces[i];
            target = how.uniform_number * weight_of(all);
        }
        // Should rounding let no piece pass the target, the last that holds tokens is taken.
        uint piece = 0;
        uvec3 running = before;
        for (uint i = 0; i < gl_NumSubgroups && weight_of(running) <= target; ++i) {
            if (shared_pieces[i].z == 0) continue;
            piece = i;
            before = running;
            running += shared_pieces[i];
        }
        from += piece * each;
        to = min(from + each, to);
        if (to - from == 1) return from;

        each = piece_of(to - from);
        mine = uvec3(0);
        uint start = from + gl_SubgroupID * each, end = min(start + each, to);
        for (uint t = start + gl_SubgroupInvocationID; t < end; t += gl_SubgroupSize) {
            float z = penalised(t);  // not what another invocation kept
            mine += z >= least ? mass_of(z) : uvec3(0);
        }
    }
}

void main() {
    how = at(how)[gl_WorkGroupID.x];
    uint each = piece_of(p.vocabulary);
    first = gl_SubgroupID * each + gl_SubgroupInvocationID;
    last = min(gl_SubgroupID * each + each, p.vocabulary);
    uint token = find_greatest();
    bool broken = token == no_token;

    // With an infinite logit there are no weights.
    if (how.temperature > 0.0 && !broken && !isinf(greatest)) {
        float least = -infinity();
        if (how.top_k != 0 && how.top_k < p.vocabulary) least = highest_bar(least, how.top_k, 0.0);
        if (how.top_p < 1.0) least = highest_bar(least, 0, how.top_p);
        if (how.min_p > 0.0) least = max(least, greatest + how.temperature * log(how.min_p));
        token = draw(least);
    }
    if (gl_LocalInvocationIndex == 0) {
        at(sampled)[gl_WorkGroupID.x] = broken ? no_token : token;
        if (how.keep != 0) at(chosen)[how.choice_row] = broken ? 0 : token;
    }
}
