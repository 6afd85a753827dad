#include "tests/reference/reference.h"

namespace assay::reference {

std::vector<float> gather(std::span<const float> x, std::size_t dim,
                          std::span<const std::uint32_t> rows) {
    std::vector<float> y;
    for (std::uint32_t row : rows) {
        const auto from = x.subspan(row * dim, dim);
        y.insert(y.end(), from.begin(), from.end());
    }
    return y;
}

}  // namespace assay::reference
