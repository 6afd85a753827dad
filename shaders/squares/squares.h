#ifndef SHADERS_SQUARES_H
#define SHADERS_SQUARES_H
#include "../shared.h"
SHARED_BEGIN

struct SquaresParams {
    In(float) x;         // (any, dim)
    In(uint) chosen;     // grouped only: the expert of each routed row
    InOut(float) sums;   // (experts, dim): += the squares of each column of an expert's rows
    InOut(uint) counts;  // (experts): += their number
    uint rows;           // of x; grouped: routed ones
    uint dim;
    uint x_share;        // grouped: routed rows that read the same row of x
};

SHARED_END
#endif
