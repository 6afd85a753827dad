#include <algorithm>
#include <cmath>

#include "tests/reference/reference.h"

namespace assay::reference {
namespace {

// What storing an element may lose, where `greatest` is the magnitude of the greatest in its block.
double storage_loss(Cache format, double magnitude, double greatest) {
    if (format == Cache::f32) return 0;
    // Half a step, of numbers with 11 bits or of subnormal ones; devices may round by 2^-20 worse.
    if (format == Cache::f16) return std::max(magnitude, 0x1p-14) * (0x1p-11 + 0x1p-20);
    // Half a step, which is 1/127 of the greatest element, rounded up to an f16 number.
    const double step = greatest / 127;
    return std::max(step * (1 + 0x1p-10), step + 0x1p-24) / 2;
}

}  // namespace

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

std::vector<double> stored_errors(Cache format, const Expected& exact) {
    const std::size_t block = info(format).block_size;
    std::vector<double> errors = exact.magnitudes;
    for (std::size_t first = 0; first < errors.size(); first += block) {
        std::vector<double> magnitudes(block);
        for (std::size_t i = 0; i < block; ++i)
            magnitudes[i] = std::fabs(exact.values[first + i]) + exact.magnitudes[first + i];
        const double greatest = *std::ranges::max_element(magnitudes);
        for (std::size_t i = 0; i < block; ++i)
            errors[first + i] += storage_loss(format, magnitudes[i], greatest);
    }
    return errors;
}

}  // namespace assay::reference
