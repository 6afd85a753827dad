#include "runtime/ops/tiling.h"

#include <algorithm>

namespace assay::ops {
namespace {

constexpr std::uint32_t tile = 64;  // as in tiled.comp
constexpr std::uint32_t lanes =
    panel_rows / 2;  // invocations that share a panel, each with two rows of the weight
constexpr std::uint32_t most_skinny_rows = 64;

// Rows of x that one invocation serves: no more than there are, so that few rows waste no work.
std::uint32_t tile_rows(std::uint32_t rows, std::uint32_t most) {
    std::uint32_t each = 1;
    while (each < most && each < rows) each *= 2;
    return each;
}

// 16 rows spread the cost of a decoded weight furthest, unless the last tile would repeat its last
// row too often.
std::uint32_t direct_rows(std::uint32_t rows) {
    const bool mostly_full = ceil_div(rows, 16) * 16 * 7 <= ceil_div(rows, 8) * 8 * 8;
    return tile_rows(rows, mostly_full ? 16 : 8);
}

}  // namespace

Tiling tiling(const DeviceInfo& device, MatmulPath path, Format format, Rows of, std::uint32_t rows,
              std::uint32_t out_dim) {
    if (path == MatmulPath::tiled) return {kernels::tiled(format, of), tile, tile};
    if (path == MatmulPath::skinny) {
        const std::uint32_t each = tile_rows(rows, 8);
        // Few outputs make few workgroups, which must be larger to keep enough reads under way.
        // A workgroup may be limited in subgroups too, so narrow ones make do with less.
        const bool may_be_large =
            device.max_workgroup_invocations >= 512 && device.subgroup_size >= 32;
        const std::uint32_t slices = out_dim <= 8192 && each <= 4 && may_be_large ? 32 : 16;
        return {kernels::skinny(format, of).specialize(lanes * slices, each), each, panel_rows};
    }
    const std::uint32_t subgroup = std::min(device.subgroup_size, lanes);
    const std::uint32_t each = direct_rows(rows);
    // With few rows a second pair of outputs shares the reading of x; with many it would have no
    // registers.
    const std::uint32_t pairs = each <= 4 && subgroup < lanes ? 2 : 1;
    return {kernels::direct(format, of).specialize(subgroup, each, pairs), each,
            2 * subgroup * pairs};
}

std::uint32_t pieces_at_once(const Stream& s, double piece_flops) {
    return static_cast<std::uint32_t>(std::clamp(s.most_flops() / piece_flops, 1.0, 1e6));
}

MatmulPath matmul_path(const DeviceInfo& device, std::uint32_t rows) {
    // Shared memory and barriers are what a CPU implementation does worst.
    if (device.is_cpu) return MatmulPath::direct;
    // Up to here the product is bound by reading the weight, which the skinny kernel reads once per
    // few rows.
    return rows <= most_skinny_rows ? MatmulPath::skinny : MatmulPath::tiled;
}

}  // namespace assay::ops
