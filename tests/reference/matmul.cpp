#include <cmath>

#include "tests/reference/reference.h"

namespace assay::reference {

Expected matmul(std::span<const float> weight, std::span<const float> x, std::size_t in_dim,
                std::span<const float> initial) {
    Expected y;
    for (std::size_t row = 0; row < x.size(); row += in_dim)
        for (std::size_t out = 0; out < weight.size(); out += in_dim) {
            const float* w = weight.data() + out;
            const float* v = x.data() + row;
            const double start =
                initial.empty() ? 0.0 : static_cast<double>(initial[y.values.size()]);
            double sum = start, magnitude = std::fabs(start);
            for (std::size_t i = 0; i < in_dim; ++i) {
                const double term = static_cast<double>(w[i]) * v[i];
                sum += term;
                magnitude += std::fabs(term);
            }
            y.values.push_back(sum);
            y.magnitudes.push_back(magnitude);
        }
    return y;
}

}  // namespace assay::reference
