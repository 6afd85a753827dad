#include <algorithm>
#include <optional>
#include <span>
#include <string_view>

#include "runtime/error.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// The best first, as a rule, up to so many rows; few rows leave few workgroups, whose slices then
// keep more reads under way. The last are never usual, but may be better on some device.
struct Choice {
    std::uint32_t most_rows;
    MatrixCut cut;
};
constexpr Choice choices[] = {
    {16, {16, 64, 16, 16, 2}},  {16, {16, 64, 16, 32, 1}},    {16, {16, 32, 16, 16, 1}},
    {32, {32, 64, 32, 16, 2}},  {32, {32, 64, 16, 32, 1}},    {64, {64, 64, 32, 32, 2}},
    {64, {64, 64, 32, 32, 1}},  {~0u, {128, 128, 64, 64, 1}}, {~0u, {128, 128, 32, 64, 1}},
    {~0u, {64, 64, 32, 32, 1}}, {~0u, {32, 32, 16, 16, 1}},   {0, {16, 64, 16, 16, 4}},
    {0, {16, 128, 16, 32, 2}},  {0, {32, 128, 32, 32, 1}},    {0, {64, 128, 32, 64, 1}},
    {0, {128, 128, 64, 32, 1}}, {0, {128, 256, 64, 64, 1}},
};

struct OperandsInfo {
    std::string_view operands, sums;  // as in MatrixShape
    std::uint32_t row_bytes;          // of 32 columns of an operand in shared memory
    std::uint32_t x_bytes, w_bytes;   // of scales and the like, at most, for such a row
    std::uint32_t most_sums;          // of an invocation; scales are matrices as well
};
constexpr OperandsInfo operands_table[] = {{"f16", "f32", (32 + 8) * 2, 0, 0, 128},
                                           {"s8", "s32", 32 + 16, 12, 16, 64}};

const OperandsInfo& info(Operands operands) {
    return operands_table[static_cast<std::size_t>(operands)];
}

// The kernels take 32 of a dimension at a time, eights of an operand, and matrices of f32 as large
// as the sums.
bool serves_kernels(const DeviceInfo& device, const MatrixShape& shape, const OperandsInfo& of) {
    const bool scales = std::ranges::any_of(device.matrix_shapes, [&](const MatrixShape& other) {
        return other.sums == "f32" && other.rows == shape.rows && other.columns == shape.columns;
    });
    return scales && shape.operands == of.operands && shape.sums == of.sums &&
           32 % shape.rows == 0 && 32 % shape.columns == 0 && shape.columns % 8 == 0 &&
           32 % shape.depth == 0 && shape.depth % 8 == 0;
}

}  // namespace

const MatrixShape& matrix_shape(const DeviceInfo& device, Operands operands) {
    const OperandsInfo& of = info(operands);
    const MatrixShape* best = nullptr;
    for (const MatrixShape& shape : device.matrix_shapes)
        if (serves_kernels(device, shape, of) &&
            (!best ||
             shape.rows * shape.columns * shape.depth > best->rows * best->columns * best->depth))
            best = &shape;
    if (!best)
        throw Error(device.name + ": no cooperative matrices of " + std::string(of.operands) +
                    " with " + std::string(of.sums) + " sums and 8 to 32 rows, columns and terms");
    return *best;
}

bool fits(const DeviceInfo& device, Operands operands, const MatrixCut& cut) {
    const auto [tile_rows, tile_columns, part_rows, part_columns, slices] = cut;
    if (part_rows == 0 || part_columns == 0 || slices == 0 || tile_rows > 256 ||
        tile_columns > 256 || slices > 16 || tile_rows == 0 || tile_columns == 0)
        return false;
    const MatrixShape& matrix = matrix_shape(device, operands);
    // A CPU implementation unrolls all of a part, which takes it seconds to compile.
    const OperandsInfo& of = info(operands);
    const std::uint32_t most_sums = device.is_cpu ? 32 : of.most_sums;
    const std::uint32_t subgroups = cut.parts() * slices;
    const std::uint32_t shared =
        2 * slices *
            (tile_rows * (of.row_bytes + of.x_bytes) + tile_columns * (of.row_bytes + of.w_bytes)) +
        subgroups * matrix.rows * matrix.columns * 4;
    return tile_rows % part_rows == 0 && tile_columns % part_columns == 0 &&
           part_rows % matrix.rows == 0 && part_columns % matrix.columns == 0 &&
           part_rows * part_columns <= most_sums * device.subgroup_size &&
           subgroups * device.subgroup_size <= device.max_workgroup_invocations &&
           shared <= device.shared_memory_bytes;
}

MatrixCut usual_matrix_cut(const DeviceInfo& device, Operands operands, std::uint32_t rows) {
    for (const auto& [most_rows, cut] : choices)
        if (rows <= most_rows && fits(device, operands, cut)) return cut;
    throw Error(device.name + ": no tile of cooperative matrices fits its " +
                std::to_string(device.shared_memory_bytes) + " bytes of shared memory");
}

std::vector<MatrixCut> matrix_cuts_to_try(const DeviceInfo& device, Operands operands,
                                          std::uint32_t rows) {
    std::vector<MatrixCut> cuts;
    for (const auto& [most_rows, cut] : choices)
        // Tiles that are half full at least, and not many times as many as need be.
        if ((cut.tile_rows == 16 || cut.tile_rows < 2 * rows) &&
            4 * cut.tile_rows >= std::min(rows, 128u) && fits(device, operands, cut))
            cuts.push_back(cut);
    return cuts;
}

Tiling matrix_tiling(const DeviceInfo& device, Operands operands, Format format, Rows of,
                     const MatrixCut& cut) {
    const MatrixShape& matrix = matrix_shape(device, operands);
    const Variant<shader::MatmulParams> kernel =
        operands == Operands::s8 ? kernels::dot_coopmat(assay::info(format).integers.value(), of)
                                 : kernels::coopmat(format, of);
    return {kernel.specialize(cut.parts() * cut.slices * device.subgroup_size, matrix.rows,
                              matrix.columns, matrix.depth, cut.tile_rows, cut.tile_columns,
                              cut.part_rows, cut.part_columns, cut.slices),
            cut.tile_rows, cut.tile_columns};
}

}  // namespace assay::ops
