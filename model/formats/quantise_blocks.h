#pragma once
#include <cstdint>

// One block each: `x` and `importance` hold as many floats as the format's blocks have weights;
// importance is positive and says how much the square of a weight's error counts. Layouts as in
// GGUF's specification; values as dequantise() gives them.
namespace assay::quantising {

using Bytes = std::uint8_t*;
using QuantiseBlock = void(const float* x, const float* importance, Bytes block);

QuantiseBlock q8_0, q4_0, q4_1, q5_0, q5_1;
QuantiseBlock q2_k, q3_k, q4_k, q5_k, q6_k;
QuantiseBlock iq4_nl, iq4_xs;

void put_half(float value, Bytes to);  // a float that is one exactly

}  // namespace assay::quantising
