#include <cmath>

#include "tests/reference/reference.h"

namespace assay::reference {

Expected silu_mul(std::span<const float> gate, std::span<const float> up) {
    Expected y;
    for (std::size_t i = 0; i < gate.size(); ++i) {
        const double value = gate[i] / (1 + std::exp(-static_cast<double>(gate[i]))) * up[i];
        y.values.push_back(value);
        y.magnitudes.push_back(std::fabs(value));
    }
    return y;
}

}  // namespace assay::reference
