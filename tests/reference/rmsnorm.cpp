#include <cmath>

#include "tests/reference/reference.h"

namespace assay::reference {

Expected rmsnorm(std::span<const float> x, std::span<const float> weight, double eps) {
    Expected y;
    const std::size_t dim = weight.size();
    for (std::size_t row = 0; row < x.size(); row += dim) {
        double squares = 0;
        for (float value : x.subspan(row, dim)) squares += static_cast<double>(value) * value;
        for (std::size_t i = 0; i < dim; ++i) {
            const double value =
                x[row + i] / std::sqrt(squares / static_cast<double>(dim) + eps) * weight[i];
            y.values.push_back(value);
            y.magnitudes.push_back(std::fabs(value));
        }
    }
    return y;
}

}  // namespace assay::reference
