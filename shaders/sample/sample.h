#ifndef SHADERS_SAMPLE_H
#define SHADERS_SAMPLE_H
#include "../shared.h"
SHARED_BEGIN

// How one row is sampled.
struct SampleRow {
    float temperature;         // 0: the greatest logit
    float top_p;               // 1: off
    float min_p;               // 0: off
    float repetition_penalty;  // 1: off; divides positive logits of tokens seen and multiplies negative ones
    uint top_k;                // 0: off
    float uniform_number;      // in [0, 1)
};
POINTER(SampleRow, 4)

struct SampleParams {
    In(float) logits;      // (rows, vocabulary)
    In(SampleRow) how;     // (rows)
    InOut(uint) seen;      // (rows, (vocabulary + 31) / 32): a bit per token that the row holds; the chosen one is added
    Out(uint) tokens;      // (rows); 0xffffffff where a logit is not a number
    uint vocabulary;
};

SHARED_END
#endif
