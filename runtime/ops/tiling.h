#pragma once
#include <optional>

#include "runtime/ops/tuning.h"

// How matrix products are cut into workgroups and dispatches, for dense and routed rows alike.
namespace assay::ops {

// A kernel made for a device and a number of rows; a workgroup computes rows x columns of y.
struct Tiling {
    Variant<shader::MatmulParams> kernel;
    std::uint32_t rows, columns;
};

// How a product of rows that meet one weight is computed: on the path that is asked for, or else on
// the best as far as that was measured, or the usual one; cut as is best for that path, or usual.
Cut choose_cut(const Stream& s, MatmulPath asked, Rows of, Format format, std::uint32_t rows,
               std::uint32_t out_dim);

// What was measured to be the best, if anything was and its tier is on.
std::optional<Cut> measured_cut(Device& device, const ProductClass& of);

// What may be better than the usual cut of so many rows, and fits the device. int8: of the cuts of
// MatmulPath::dot.
std::vector<Cut> cuts_to_try(const DeviceInfo& device, Format format, std::uint32_t rows,
                             bool int8 = false);

// Whether the kernels of a cut can be made for a device, its tier on or off, for up to so many
// rows. Throws an Error where they need matrices of which the device lists none that serve.
bool fits(const DeviceInfo& device, const Cut& cut, std::uint32_t rows);

Tiling tiling(const DeviceInfo& device, const Cut& cut, Format format, Rows of, std::uint32_t rows);

// x w^T, cut as is said.
Tensor matmul(Stream& s, const Weight& w, const Tensor& x, const Cut& cut);
void matmul_add(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, const Cut& cut);
// By a path's kernel, made as is said.
Tensor matmul(Stream& s, const Weight& w, const Tensor& x, MatmulPath path, const Tiling& t);

// The shape of cooperative matrices, f16 with f32 sums or s8 with s32 sums, with the most terms in
// an instruction.
const MatrixShape& matrix_shape(const DeviceInfo& device, Operands of = Operands::f16);

// The tiling of MatmulPath::dot without cooperative matrices. Throws an Error if the device lacks
// its tier.
Tiling dot_tiling(const DeviceInfo& device, Format format, Rows of, std::uint32_t rows);

// Rows of x in fewer bits, as some paths take them in its place: see HalveParams (coopmat,
// coopmat2) and QuantiseParams (dot). Scratch.
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

// A workgroup's tile of MatmulPath::coopmat, or of MatmulPath::dot by matrices of bytes, and how it
// is cut into parts, one a subgroup, and slices, see parts.glsl.
struct MatrixCut {
    std::uint32_t tile_rows, tile_columns, part_rows, part_columns, slices;

    std::uint32_t parts() const { return tile_rows / part_rows * (tile_columns / part_columns); }
};
Cut cut_of(MatmulPath path, const MatrixCut& cut);
bool fits(const DeviceInfo& device, Operands operands, const MatrixCut& cut);
MatrixCut usual_matrix_cut(const DeviceInfo& device, Operands operands, std::uint32_t rows);
std::vector<MatrixCut> matrix_cuts_to_try(const DeviceInfo& device, Operands operands,
                                          std::uint32_t rows);
Tiling matrix_tiling(const DeviceInfo& device, Operands operands, Format format, Rows of,
                     const MatrixCut& cut);

// A workgroup's tile of MatmulPath::coopmat2 and the columns of x that it takes at a time, see
// coopmat2.comp.
struct FlexibleCut {
    std::uint32_t tile_rows, tile_columns, depth;
    std::uint32_t workgroup;  // invocations that share the matrices; 0: those of a subgroup
};
bool fits(const DeviceInfo& device, const FlexibleCut& cut);
FlexibleCut usual_flexible_cut(const DeviceInfo& device, std::uint32_t rows);
std::vector<FlexibleCut> flexible_cuts_to_try(const DeviceInfo& device, std::uint32_t rows);
// For a format that is decoded(). Throws an Error if the device lacks its tier.
Tiling flexible_tiling(const DeviceInfo& device, Format format, Rows of, const FlexibleCut& cut,
                       Loads loads);
// The format among those that coopmat2.comp is made for.
std::optional<Decoded> decoded(Format format);

// Whether heads of this size suit the kernel of AttentionPath::coopmat on this device.
bool attends_by_matrices(const DeviceInfo& device, std::uint32_t head_dim);

constexpr std::uint32_t most_groups = 65535;  // along y, that every device takes

// How many pieces of the given cost keep a dispatch in bounds.
std::uint32_t pieces_at_once(const Stream& s, double piece_flops);

// Rows that one expert gets, as far as is known before tokens are routed: the average, and as much
// again since they are not spread evenly.
std::uint32_t expert_rows(std::uint32_t tokens, std::uint32_t top_k, std::uint32_t experts);

constexpr std::uint32_t ceil_div(std::uint32_t n, std::uint32_t d) { return (n + d - 1) / d; }

}  // namespace assay::ops
