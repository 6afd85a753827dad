// The weight format this variant is compiled for, second part: its decoder. Each format's file defines
//   block_size    weights in a block, a multiple of 32
//   block_units   WeightUnits in a block
//   decode(first, part)   weights 8 * part ... 8 * part + 7 of the block of one row whose first unit is at `first`
// F32, F16 and BF16 have no blocks; 32 weights are taken for one.
//
// Rows lie in panels of 32 side by side, so that consecutive units of a row are panel_rows apart (runtime/tensor.h).
const uint panel_rows = 32;

struct Weights8 {
    vec4 lo, hi;
};

#define unit(first, i) uint(at(weight)[(first) + (i) * panel_rows])

float half_to_float(uint bits) { return unpackHalf2x16(bits).x; }

#if defined(FORMAT_F32)
#include "f32.h"
#elif defined(FORMAT_F16)
#include "f16.h"
#elif defined(FORMAT_BF16)
#include "bf16.h"
#elif defined(FORMAT_Q8_0)
#include "q8_0.h"
#elif defined(FORMAT_Q4_0)
#include "q4_0.h"
#elif defined(FORMAT_Q6_K)
#include "q6_k.h"
#endif

// Index of the first unit of block 0 of a row of `in_dim` weights.
uint first_unit(uint row, uint in_dim) {
    return row / panel_rows * (in_dim / block_size * block_units * panel_rows) + row % panel_rows;
}
