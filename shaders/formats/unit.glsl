// The weight format this variant is compiled for, first part: the type its blocks are read in. It must be known
// before the parameter struct that points to it; format.glsl, after the struct, holds the decoder.
#include "../shared.h"
#if defined(FORMAT_F32)
#define WeightUnit uint
POINTER(WeightUnit, 4)
#else
#define WeightUnit uint16_t
POINTER(WeightUnit, 2)
#endif
