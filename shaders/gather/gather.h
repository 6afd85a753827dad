#ifndef SHADERS_GATHER_H
#define SHADERS_GATHER_H
#include "../shared.h"
SHARED_BEGIN

struct GatherParams {
    In(float) x;    // (any, dim)
    In(uint) rows;  // which rows of x
    Out(float) y;   // (as many, dim)
    uint dim;
};

SHARED_END
#endif
