#ifndef SHADERS_REPACK_H
#define SHADERS_REPACK_H
#include "../shared.h"
SHARED_BEGIN

struct RepackParams {
    In(uint) source;   // (rows, row_halves / 2) as in the file; a row may begin in the middle of a word
    Out(uint) panels;  // the weight
    uint rows;         // rows of source
    uint pairs;        // pairs of rows to write: these and the padding behind them
    uint first_row;    // of source, in the file
    uint row_halves;   // 16-bit halves of words in a row
    uint head_dim;     // 0, or: rows of each head come as pairs (i, i + head_dim / 2) interleaved, and are put back
    uint halves;       // 1: the rows of the source's second half go between those of its first
};

SHARED_END
#endif
