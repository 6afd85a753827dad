#ifndef SHADERS_SWIGLU_H
#define SHADERS_SWIGLU_H
#include "../shared.h"
SHARED_BEGIN

struct SwigluParams {
    In(float) gate;
    In(float) up;
    Out(float) y;
    uint size;  // elements of each
};

SHARED_END
#endif
