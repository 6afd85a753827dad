#ifndef SHADERS_SAMPLE_H
#define SHADERS_SAMPLE_H
#include "../shared.h"
SHARED_BEGIN

// Each running sequence has a choice row of the state that sampling keeps on the device, so that a step can begin before
// the host has read what the step before it chose.

SHARED_CONSTANT chosen_flag = 0x80000000;  // a token word chosen_flag | choice_row stands for chosen[choice_row]
SHARED_CONSTANT no_token = 0xffffffff;     // what is chosen where a logit is not a number
SHARED_CONSTANT most_guesses = 15;

// How one token is chosen.
struct SampleRow {
    float temperature;         // 0: the greatest logit
    float top_p;               // 1: off
    float min_p;               // 0: off
    float repetition_penalty;  // 1: off; divides positive logits of tokens seen and multiplies negative ones
    uint top_k;                // 0: off
    float uniform_number;      // in [0, 1)
    uint row;                  // of logits
    uint choice_row;           // of seen and chosen; several may share one
    uint first_guess;          // these tokens count as seen, too: guesses in the step that precede this row's
    uint guesses;              // how many, at most most_guesses
    uint keep;                 // not 0: chosen[choice_row] becomes the token
};
POINTER(SampleRow, 4)

struct SampleParams {
    In(float) logits;        // (any, vocabulary)
    In(SampleRow) how;       // (rows)
    In(uint) tokens;         // of the step, for guesses
    In(uint) seen;           // (choice rows, (vocabulary + 31) / 32): a bit per token that the sequence holds
    Out(uint) chosen;        // (choice rows); a valid token even where the result is no_token
    Out(uint) sampled;       // (rows)
    InOut(float) penalised;  // (rows, vocabulary): scratch for logits after the penalty
    uint vocabulary;
};

struct ResolveParams {
    In(uint) tokens;    // (count), with words chosen_flag | choice_row
    In(uint) chosen;    // (choice rows)
    Out(uint) resolved; // (count), without
    uint count;
};

// A sequence now holds a token.
struct SeenMark {
    uint row;         // of the step's tokens
    uint choice_row;  // of seen
};
POINTER(SeenMark, 4)

struct MarkParams {
    In(uint) tokens;     // of the step
    In(SeenMark) marks;  // (count)
    InOut(uint) seen;    // (choice rows, seen_words)
    uint count;
    uint seen_words;     // (vocabulary + 31) / 32
};

struct LogitPlace {
    uint row;
    uint token;
};
POINTER(LogitPlace, 4)

struct PickParams {
    In(float) logits;       // (any, vocabulary)
    In(LogitPlace) places;  // (count)
    Out(float) picked;      // (count)
    uint count;
    uint vocabulary;
};

SHARED_END
#endif
