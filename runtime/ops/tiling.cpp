#include "runtime/ops/tiling.h"

#include <algorithm>

namespace assay::ops {
namespace {

constexpr std::uint32_t tile = 64;  // as in tiled.comp
constexpr std::uint32_t lanes =
    panel_rows / 2;  // invocations that share a panel, each with two rows of the weight
constexpr std::uint32_t most_skinny_rows = 64;  // that pay without matrices
// A matrix has 8 or 16 rows at least, computed whether or not they are there.
constexpr std::uint32_t most_rows_without_matrices = 8;

// Rows of x that one invocation serves. Up to 16 spread the cost of reading and decoding a weight;
// more would have no registers. Tiles are as even as can be: rows that fill up a tile are computed
// too, so a row more should not bring many of them.
std::uint32_t tile_rows(std::uint32_t rows) {
    constexpr std::uint32_t most = 16;
    return ceil_div(rows, ceil_div(rows, most));
}

}  // namespace

Tiling tiling(const Stream& s, MatmulPath path, Format format, Rows of, std::uint32_t rows,
              std::uint32_t out_dim) {
    const DeviceInfo& device = s.device().info();
    if (path == MatmulPath::coopmat) return coopmat_tiling(s, format, of, rows);
    if (path == MatmulPath::dot) return dot_tiling(device, format, of, rows);
    if (path == MatmulPath::tiled) return {kernels::tiled(format, of), tile, tile};
    if (path == MatmulPath::skinny) {
        const std::uint32_t each = tile_rows(rows);
        // Few outputs make few workgroups, which must be larger to keep enough reads under way.
        // A workgroup may be limited in subgroups too, so narrow ones make do with less.
        const bool may_be_large =
            device.max_workgroup_invocations >= 512 && device.subgroup_size >= 32;
        const bool more = out_dim <= 8192 && each <= 4 && may_be_large && !s.batch_invariant();
        const std::uint32_t slices = more ? 32 : 16;  // whose sums are added up in the end
        return {kernels::skinny(format, of).specialize(lanes * slices, each), each, panel_rows};
    }
    const std::uint32_t subgroup = std::min(device.subgroup_size, lanes);
    const std::uint32_t each = tile_rows(rows);
    // With few rows a second pair of outputs shares the reading of x; with many it would have no
    // registers.
    const std::uint32_t pairs = each <= 8 && subgroup < lanes ? 2 : 1;
    return {kernels::direct(format, of).specialize(subgroup, each, pairs), each,
            2 * subgroup * pairs};
}

std::uint32_t pieces_at_once(const Stream& s, double piece_flops) {
    return static_cast<std::uint32_t>(std::clamp(s.most_flops() / piece_flops, 1.0, 1e6));
}

std::uint32_t rows_at_once(const Stream& s, const Tiling& t, double row_flops) {
    constexpr std::uint32_t least = 64;
    const std::uint32_t rows = std::max(1u, least / t.rows) * t.rows;
    return pieces_at_once(s, row_flops * rows) * rows;
}

MatmulPath choose_path(const Stream& s, MatmulPath asked, Format format, std::uint32_t rows) {
    if (asked == MatmulPath::dot && !info(format).integers) asked = MatmulPath::automatic;
    if (asked != MatmulPath::automatic) return asked;
    // Each path has an order of sums of its own, so there is one for any number of rows: that of
    // few, which bounds writing a text.
    const std::uint32_t counted = s.batch_invariant() ? 1 : rows;
    const auto choice = [&] {
        return matmul_choice(s.device().info(), format, counted, s.int8_activations()).path;
    };
    const MatmulPath path = choice();
    if (path != MatmulPath::coopmat || s.device().has(Tier::coopmat)) return path;
    return choice();  // it failed its probe
}

MatmulChoice matmul_choice(const DeviceInfo& device, Format format, std::uint32_t rows,
                           bool int8_activations) {
    if (int8_activations && info(format).integers)
        return {MatmulPath::dot, "activations of 8 bits were asked for"};
    if (device.is_cpu)
        return {MatmulPath::direct, "a CPU implementation is slow with shared memory and barriers"};
    if (rows <= most_rows_without_matrices)
        return {MatmulPath::skinny, "few rows: bound by reading the weight, once"};
    if (device.tier(Tier::coopmat).on && format != Format::f32)
        return {MatmulPath::coopmat, "the device has cooperative matrices"};
    const bool matrices = device.tier(Tier::coopmat).on;
    if (rows <= most_skinny_rows)
        return {MatmulPath::skinny, matrices ? "F32 would lose 13 bits in cooperative matrices"
                                             : "bound by reading the weight, once per few rows"};
    return {MatmulPath::tiled, matrices ? "F32 would lose 13 bits in cooperative matrices"
                                        : "many rows, and no cooperative matrices"};
}

}  // namespace assay::ops
