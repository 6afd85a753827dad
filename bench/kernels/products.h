#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/kernels/cases.h"
#include "bench/kernels/operands.h"
#include "runtime/profile.h"

// Matrix products in double precision, of some outputs.
namespace assay::bench {

// What arithmetic may be off by, as multiples of some sums of magnitudes.
struct Tolerance {
    double terms = 0;     // of the terms that are summed up
    double operands = 0;  // of x alone: an error of the weight that does not shrink with it
    double blocks = 0;    // of the terms that there were if all of a block of x were its greatest
};

// An output and those sums.
struct Exact {
    double value = 0, terms = 0, operands = 0, blocks = 0;

    double allowed(const Tolerance& by) const {
        return by.terms * terms + by.operands * operands + by.blocks * blocks;
    }
};

// One output of a product with a weight, or of silu(gate) * up.
struct SampledOutput {
    std::uint32_t column;            // of the result
    std::vector<float> weights, up;  // up: empty unless there is one

    Exact product(std::span<const float> x, double added = 0) const;
};

// Outputs of a weight that are compared: among them the first and last usual ones; for adversarial
// data also those whose weights have subnormal or large scales, or are zero.
class ProductSamples {
public:
    // Row r of the weight is row r + shift of the file's.
    ProductSamples(const RandomWeight& file, Epilogue epilogue, std::uint32_t shift = 0);
    std::span<const SampledOutput> outputs(Data data) const;

private:
    std::vector<SampledOutput> outputs_;  // the usual ones first
    std::size_t usual_ = 0;
};

// Whether a kernel that ran rounds its operands to halves, as those with cooperative matrices do.
bool takes_halves(std::span<const ProfileEvent> events);

// Of products of in_dim terms on the path that ran.
Tolerance product_tolerance(std::uint32_t in_dim, std::span<const ProfileEvent> events);

// Why a product of so many rows that meet one weight is computed as it is.
std::string path_reason(ops::MatmulPath asked, Device& device, Rows of, Format format,
                        std::uint32_t rows, std::uint32_t out_dim);

}  // namespace assay::bench
