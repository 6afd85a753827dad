#include <algorithm>

#include "runtime/error.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// As `layout(constant_id = 1)` of coopmat2.comp takes it: numbers of the SPIR-V specification.
enum Scope : std::uint32_t { of_workgroup = 2, of_subgroup = 3 };

// The best first, as a rule, up to so many rows. Sums of 128 x 256 are 128 registers of each of 256
// invocations. Those of a subgroup are for devices that have no matrices of a workgroup; a CPU
// implementation unrolls all of a tile, and takes a second to compile the larger.
struct Choice {
    std::uint32_t most_rows;
    FlexibleCut cut;
};
constexpr Choice choices[] = {
    {32, {32, 128, 64, 128}},   {64, {64, 128, 64, 256}},  {~0u, {128, 256, 64, 256}},
    {~0u, {128, 128, 64, 256}}, {~0u, {64, 128, 64, 128}}, {~0u, {32, 64, 32, 128}},
    {~0u, {8, 16, 8, 0}},       {~0u, {16, 32, 16, 0}},    {0, {32, 256, 64, 256}},
    {0, {64, 256, 64, 256}},    {0, {128, 256, 32, 256}},  {0, {256, 128, 64, 256}},
};

}  // namespace

// The order is that of shaders/CMakeLists.txt: these two, then INTEGERS.
std::optional<Decoded> decoded(Format format) {
    if (format == Format::f16) return Decoded::f16;
    if (format == Format::bf16) return Decoded::bf16;
    const auto integers = info(format).integers;
    if (!integers) return std::nullopt;
    return static_cast<Decoded>(static_cast<std::size_t>(Decoded::bf16) + 1 +
                                static_cast<std::size_t>(*integers));
}

bool fits(const DeviceInfo& device, const FlexibleCut& cut) {
    const auto [tile_rows, tile_columns, depth, workgroup] = cut;
    const std::uint32_t pairs = tile_columns / 2, most = device.most_matrix_side;
    if (std::min({tile_rows, pairs, depth}) == 0 || std::max({tile_rows, pairs, depth}) > most ||
        tile_columns % 2 != 0 || workgroup > device.max_workgroup_invocations)
        return false;
    if (workgroup && !device.tensor_loads) return false;  // the scope is enabled with them
    const std::uint32_t invocations = workgroup ? workgroup : device.subgroup_size;
    constexpr std::uint32_t most_sums = 128;  // of an invocation
    return tile_rows * tile_columns <= most_sums * invocations &&
           std::ranges::any_of(device.matrix_steps, [&](const MatrixSteps& steps) {
               return steps.workgroup == workgroup && tile_rows % steps.rows == 0 &&
                      pairs % steps.columns == 0 && depth % steps.depth == 0;
           });
}

FlexibleCut usual_flexible_cut(const DeviceInfo& device, std::uint32_t rows) {
    for (const auto& [most_rows, cut] : choices)
        if (rows <= most_rows && fits(device, cut)) return cut;
    throw Error(device.name + ": no tile of cooperative matrices is of the sizes it takes");
}

std::vector<FlexibleCut> flexible_cuts_to_try(const DeviceInfo& device, std::uint32_t rows) {
    std::vector<FlexibleCut> cuts;
    for (const auto& [most_rows, cut] : choices)
        // Tiles that are half full at least, and not many times as many as need be.
        if (cut.workgroup && cut.tile_rows < 2 * rows &&
            4 * cut.tile_rows >= std::min(rows, 128u) && fits(device, cut))
            cuts.push_back(cut);
    return cuts;
}

Tiling flexible_tiling(const DeviceInfo& device, Format format, Rows of, const FlexibleCut& cut,
                       Loads loads) {
    if (const TierState& tier = device.tier(Tier::coopmat2); !tier.on)
        throw Error(device.name + ": no matrices of any size: " + tier.note);
    return {kernels::coopmat2(decoded(format).value(), loads, of)
                .specialize(cut.workgroup ? cut.workgroup : device.subgroup_size,
                            cut.workgroup ? of_workgroup : of_subgroup, cut.tile_rows,
                            cut.tile_columns / 2, cut.depth),
            cut.tile_rows, cut.tile_columns};
}

}  // namespace assay::ops
