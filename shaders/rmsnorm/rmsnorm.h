#ifndef SHADERS_RMSNORM_H
#define SHADERS_RMSNORM_H
#include "../shared.h"
SHARED_BEGIN

struct RmsNormParams {
    In(float) x;       // (rows, dim)
    In(float) weight;  // (dim)
    Out(float) y;      // (rows, dim)
    uint dim;          // elements in a row
    float eps;         // added to the mean square
};

SHARED_END
#endif
