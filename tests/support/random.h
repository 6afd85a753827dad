#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <vector>

namespace assay::test {

// Seeded, and the same numbers with every standard library, unlike its distributions.
class Random {
public:
    explicit Random(std::uint32_t seed) : engine_(seed) {}

    std::uint32_t bits() { return static_cast<std::uint32_t>(engine_()); }
    std::uint32_t below(std::uint32_t n) { return bits() % n; }
    double uniform() { return bits() * 0x1p-32; }  // in [0, 1)
    float normal(double deviation = 1) {
        const double radius = std::sqrt(-2 * std::log(1 - uniform()));
        return static_cast<float>(deviation * radius * std::cos(2 * std::numbers::pi * uniform()));
    }
    std::vector<float> normals(std::size_t count, double deviation = 1) {
        std::vector<float> values(count);
        for (float& value : values) value = normal(deviation);
        return values;
    }
    // 0 ... count - 1 in random order.
    std::vector<std::uint32_t> permutation(std::uint32_t count) {
        std::vector<std::uint32_t> order(count);
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::uint32_t j = below(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

private:
    std::mt19937 engine_;
};

}  // namespace assay::test
