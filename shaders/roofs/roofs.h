#ifndef SHADERS_ROOFS_H
#define SHADERS_ROOFS_H
#include "../shared.h"
SHARED_BEGIN

SHARED_CONSTANT roof_quads = 64;   // that an invocation reads or copies, a workgroup's neighbours side by side
SHARED_CONSTANT roof_chains = 8;   // of four sums that do not wait for each other

struct NothingParams {
    Out(uint) written;  // if value is not 0
    uint value;
};

struct ReadParams {
    In(vec4) from;
    Out(float) sums;  // where a sum is exactly a value that no compiler knows of
    uint quads;       // of `from`
};

struct CopyQuadsParams {
    In(vec4) from;
    Out(vec4) to;
    uint quads;
};

struct ArithmeticParams {
    Out(float) sums;  // (invocations)
    float factor;     // sums become sum * factor + addend, again and again
    float addend;
    uint rounds;
};

SHARED_CONSTANT roof_matrices = 4;  // sums of a subgroup that do not wait for each other

SHARED_END
#endif
