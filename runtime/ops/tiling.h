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
MatmulPath choose_path(const Stream& s, MatmulPath asked, Format format, std::uint32_t rows);

// `rows` are those that meet one weight.
Tiling tiling(const Stream& s, MatmulPath path, Format format, Rows of, std::uint32_t rows,
              std::uint32_t out_dim);

// The shape of cooperative matrices, f16 with f32 sums, with the most terms in an instruction.
const MatrixShape& matrix_shape(const DeviceInfo& device);

// The tiling of MatmulPath::coopmat.
Tiling coopmat_tiling(const Stream& s, Format format, Rows of, std::uint32_t rows);

// The tiling of MatmulPath::dot. Throws an Error if the device lacks its tier.
Tiling dot_tiling(const DeviceInfo& device, Format format, Rows of, std::uint32_t rows);

// Rows of x in fewer bits, as some paths take them in its place: see HalveParams (coopmat) and
// QuantiseParams (dot). Scratch.
struct Packed {
    Tensor values;  // (rows, ...), several in an element
    Tensor scales;  // (rows, ...)

    Packed slice(std::uint32_t first, std::uint32_t count) const {
        return {values.slice(first, count), scales.slice(first, count)};
    }
};
// Nothing for a path that takes x itself.
Packed pack(Stream& s, MatmulPath path, const Tensor& x);
// The routed rows in their order by expert, for the routing's path.
Packed pack(Stream& s, const Routing& routing, const Tensor& x);

// Rows of a dispatch of which row_flops each are computed: whole tiles, as many as keep it in
// bounds, and some even where few do.
std::uint32_t rows_at_once(const Stream& s, const Tiling& t, double row_flops);

// A workgroup's tile of MatmulPath::coopmat and how it is cut into parts, one a subgroup, and
// slices, see coopmat.comp.
struct MatrixCut {
    std::uint32_t tile_rows, tile_columns, part_rows, part_columns, slices;

    std::uint32_t parts() const { return tile_rows / part_rows * (tile_columns / part_columns); }
};
Tiling matrix_tiling(const DeviceInfo& device, Format format, Rows of, const MatrixCut& cut);

// Whether heads of this size suit the kernel of AttentionPath::coopmat on this device.
bool attends_by_matrices(const DeviceInfo& device, std::uint32_t head_dim);

constexpr std::uint32_t most_groups = 65535;  // along y, that every device takes

// How many pieces of the given cost keep a dispatch in bounds.
std::uint32_t pieces_at_once(const Stream& s, double piece_flops);

constexpr std::uint32_t ceil_div(std::uint32_t n, std::uint32_t d) { return (n + d - 1) / d; }

}  // namespace assay::ops
