#pragma once
#include <vector>

#include "bench/kernels/cases.h"
#include "bench/kernels/operands.h"
#include "bench/kernels/products.h"
#include "runtime/ops.h"

namespace assay::bench {

// One weight of every expert on the device. Row r of expert e is row r + e * shift of one file.
class DeviceExperts {
public:
    DeviceExperts(Stream& s, const Case& c);

    const Shape* shape;
    Format format;
    ops::ExpertWeights weights;           // the other product's too, as far as route() looks at it
    std::vector<ProductSamples> samples;  // of each expert

private:
    Buffer buffer_;
    Operand slots_;
};

}  // namespace assay::bench
