// Router of a sparse mixture (Shazeer et al. 2017; Jiang et al. 2024): the top_k greatest logits of a token and the softmax
// over them alone, which is the softmax over all, normalised again. One token an invocation. Of equal logits the first wins.
#version 460
#extension GL_GOOGLE_include_directive : require
#include "../kernel.glsl"
#include "experts.h"
PUSH(RouteParams);

layout(local_size_x_id = 0) in;

void main() {
    uint token = gl_WorkGroupID.x * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (token >= p.tokens) return;
    uint logits = token * p.experts, to = token * p.top_k;

    // A NaN has no place in the order. It makes every weight a NaN, so that the answer shows it.
    bool ordered = true;
    for (uint e = 0; e < p.experts; ++e)
        ordered = ordered && (floatBitsToUint(at(logits)[logits + e]) & 0x7fffffffu) <= 0x7f800000u;

    float greatest = 0.0, last = 0.0, sum = 0.0;
    uint last_expert = 0;
    for (uint k = 0; k < p.top_k; ++k) {
        // The greatest of those that come after the last choice: smaller, or equal and further on.
        uint best = p.experts;
        float value = 0.0;
        for (uint e = 0; e < p.experts && ordered; ++e) {
            float logit = at(logits)[logits + e];
            bool after = k == 0 || logit < last || (logit == last && e > last_expert);
            if (after && (best == p.experts || logit > value)) {
                best = e;
                value = logit;
            }
        }
        if (k == 0) greatest = value;
        last = value;
        last_expert = best;
        float weight = ordered ? exp(value - greatest) : uintBitsToFloat(0x7fc00000u);
        sum += weight;
        at(chosen)[to + k] = ordered ? best : k;
        at(weights)[to + k] = weight;
    }
    for (uint k = 0; k < p.top_k; ++k) at(weights)[to + k] /= sum;
}
