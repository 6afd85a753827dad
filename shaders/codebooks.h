// Where the grid of each IQ format begins in the buffer of codebooks, in words. A grid lists runs of weights, a byte
// per weight: 8 weights in two words, or 4 in one (IQ3). The weights themselves are in runtime/codebooks.cpp.
#ifndef SHADERS_CODEBOOKS_H
#define SHADERS_CODEBOOKS_H
#include "shared.h"

SHARED_BEGIN
SHARED_CONSTANT iq2_xxs_grid = 0;
SHARED_CONSTANT iq2_xs_grid = iq2_xxs_grid + 2 * 256;
SHARED_CONSTANT iq2_s_grid = iq2_xs_grid + 2 * 512;
SHARED_CONSTANT iq3_xxs_grid = iq2_s_grid + 2 * 1024;
SHARED_CONSTANT iq3_s_grid = iq3_xxs_grid + 256;
SHARED_CONSTANT iq1_grid = iq3_s_grid + 512;  // weights + 1
SHARED_CONSTANT codebook_words = iq1_grid + 2 * 2048;
SHARED_END

#endif
