#include <cmath>

#include "tests/reference/reference.h"

namespace assay::reference {

Expected rotate(std::span<const float> x, std::size_t heads, std::size_t head_dim,
                std::span<const std::uint32_t> positions, std::span<const float> angles) {
    Expected y{std::vector<double>(x.size()), std::vector<double>(x.size())};
    const std::size_t pairs = head_dim / 2;
    for (std::size_t row = 0; row < positions.size(); ++row)
        for (std::size_t head = 0; head < heads; ++head)
            for (std::size_t i = 0; i < pairs; ++i) {
                const std::size_t first = (row * heads + head) * head_dim + i,
                                  second = first + pairs;
                const double cosine = angles[(positions[row] * pairs + i) * 2],
                             sine = angles[(positions[row] * pairs + i) * 2 + 1];
                const double a = x[first], b = x[second];
                y.values[first] = a * cosine - b * sine;
                y.values[second] = b * cosine + a * sine;
                y.magnitudes[first] = std::fabs(a * cosine) + std::fabs(b * sine);
                y.magnitudes[second] = std::fabs(b * cosine) + std::fabs(a * sine);
            }
    return y;
}

}  // namespace assay::reference
