#pragma once
#include "runtime/ops.h"

// How matrix products are cut into workgroups and dispatches, for dense and routed rows alike.
namespace assay::ops {

// A kernel made for a device and a number of rows; a workgroup computes rows x columns of y.
struct Tiling {
    Variant<shader::MatmulParams> kernel;
    std::uint32_t rows, columns;
};

// The path of a product of `rows` rows: `asked`, unless that leaves the choice.
MatmulPath choose_path(const Stream& s, MatmulPath asked, std::uint32_t rows);

// `rows` are those that meet one weight.
Tiling tiling(const Stream& s, MatmulPath path, Format format, Rows of, std::uint32_t rows,
              std::uint32_t out_dim);

constexpr std::uint32_t most_groups = 65535;  // along y, that every device takes

// How many pieces of the given cost keep a dispatch in bounds.
std::uint32_t pieces_at_once(const Stream& s, double piece_flops);

constexpr std::uint32_t ceil_div(std::uint32_t n, std::uint32_t d) { return (n + d - 1) / d; }

}  // namespace assay::ops
