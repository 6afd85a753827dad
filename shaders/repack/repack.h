#ifndef SHADERS_REPACK_H
#define SHADERS_REPACK_H
#include "../shared.h"
SHARED_BEGIN

struct RepackParams {
    In(uint16_t) source;   // (rows, row_words) as in the file
    Out(uint16_t) panels;  // the weight
    uint rows;             // rows of source
    uint written;          // these and the padding behind them
    uint first_row;        // of source, in the file
    uint row_words;        // 16-bit words in a row
    uint unit_words;       // 16-bit words in a unit: 1 or 2
    uint head_dim;         // 0, or: rows of each head come as pairs (i, i + head_dim / 2) interleaved, and are put back
};

SHARED_END
#endif
