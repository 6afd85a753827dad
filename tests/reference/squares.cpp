#include "tests/reference/reference.h"

namespace assay::reference {

Squares squares(std::span<const float> x, std::size_t dim, std::span<const std::uint32_t> chosen,
                std::size_t experts) {
    const std::size_t share = chosen.size() / (x.size() / dim);
    Squares result{.sums = std::vector<double>(experts * dim),
                   .counts = std::vector<std::uint32_t>(experts)};
    for (std::size_t row = 0; row < chosen.size(); ++row) {
        ++result.counts[chosen[row]];
        for (std::size_t i = 0; i < dim; ++i) {
            const double value = x[row / share * dim + i];
            result.sums[chosen[row] * dim + i] += value * value;
        }
    }
    return result;
}

}  // namespace assay::reference
