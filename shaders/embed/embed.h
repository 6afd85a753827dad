#ifndef SHADERS_EMBED_H
#define SHADERS_EMBED_H
#include "../shared.h"
SHARED_BEGIN

struct EmbedParams {
    In(uint) weight;        // (vocabulary, dim) in panels
    In(uint) codebook;      // of codebooks.h, for formats that have one
    In(uint) tokens;        // (rows)
    Out(vec4) y;            // (rows, dim)
    uint dim;
};

SHARED_END
#endif
