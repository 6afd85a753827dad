#include "runtime/ops/tiling.h"

#include <algorithm>
#include <iterator>

namespace assay::ops {
namespace {

constexpr std::uint32_t tile = 64;  // as in tiled.comp
constexpr std::uint32_t lanes =
    panel_rows / 2;  // invocations that share a panel, each with two rows of the weight
constexpr std::uint32_t most_skinny_rows = 64;  // that pay without matrices
// A matrix has 8 or 16 rows at least, computed whether or not they are there.
constexpr std::uint32_t most_rows_without_matrices = 8;
// The least tile of a workgroup's matrices is 32 rows on the devices known.
constexpr std::uint32_t most_rows_of_small_tiles = 16;
// Rows of x that one invocation serves. Up to 16 spread the cost of reading and decoding a weight;
// more have no registers. Where weights are plain numbers, one tile of up to 24 still beats two on
// CPU implementations.
constexpr std::uint32_t most_served = 16, most_served_alone = 24;

// Tiles are as even as can be: rows that fill up a tile are computed too, so a row more should not
// bring many of them.
std::uint32_t tile_rows(std::uint32_t rows, std::uint32_t most) {
    return ceil_div(rows, ceil_div(rows, most));
}

std::uint32_t direct_workgroup(const DeviceInfo& device) {
    return std::min(device.subgroup_size, lanes);
}

MatrixCut matrix_cut(const Cut& cut) {
    const auto [tile_rows, tile_columns, part_rows, part_columns, slices] = cut.numbers;
    return {tile_rows, tile_columns, part_rows, part_columns, slices};
}

bool by_matrices(const Cut& cut) {
    return cut.path == MatmulPath::coopmat || (cut.path == MatmulPath::dot && cut.numbers[0] != 0);
}

Operands operands_of(MatmulPath path) {
    return path == MatmulPath::dot ? Operands::s8 : Operands::f16;
}

Tier tier_of_matrices(MatmulPath path) {
    return path == MatmulPath::dot ? Tier::coopmat_s8 : Tier::coopmat;
}

// Whether they are usual.
bool dot_by_matrices(const DeviceInfo& device, std::uint32_t rows) {
    return !device.is_cpu && device.tier(Tier::coopmat_s8).on && rows > most_rows_without_matrices;
}

FlexibleCut flexible_cut(const Cut& cut) {
    const auto [tile_rows, tile_columns, depth, workgroup, none] = cut.numbers;
    return {tile_rows, tile_columns, depth, workgroup};
}

Cut cut_of(const FlexibleCut& cut) {
    return {MatmulPath::coopmat2, {cut.tile_rows, cut.tile_columns, cut.depth, cut.workgroup}};
}

// Whether the device may compute so: the tiers of matrices have a probe to pass.
bool has(Device& device, const Cut& cut) {
    if (cut.path == MatmulPath::coopmat2) return device.has(Tier::coopmat2);
    return !by_matrices(cut) || device.has(tier_of_matrices(cut.path));
}

MatmulPath usual_path(const Stream& s, Format format, std::uint32_t rows) {
    for (;;) {  // a tier that failed its probe is off, and not chosen again
        const MatmulPath path =
            matmul_choice(s.device().info(), format, rows, s.int8_activations()).path;
        if (has(s.device(), {path, {}})) return path;
    }
}

Cut usual_cut(const Stream& s, MatmulPath path, Format format, std::uint32_t rows,
              std::uint32_t out_dim) {
    const DeviceInfo& device = s.device().info();
    if (path == MatmulPath::coopmat)
        return cut_of(path,
                      usual_matrix_cut(device, Operands::f16, s.batch_invariant() ? 1 : rows));
    if (path == MatmulPath::coopmat2)
        return cut_of(usual_flexible_cut(device, s.batch_invariant() ? 1 : rows));
    if (path == MatmulPath::dot && dot_by_matrices(device, rows) && !s.batch_invariant() &&
        s.device().has(Tier::coopmat_s8))
        return cut_of(path, usual_matrix_cut(device, Operands::s8, rows));
    if (path == MatmulPath::tiled || path == MatmulPath::dot) return {path, {}};
    if (path == MatmulPath::skinny) {
        // Few outputs make few workgroups, which must be larger to keep enough reads under way.
        const Cut large{path, {most_served, 32}};
        const bool more =
            out_dim <= most_narrow && tile_rows(rows, most_served) <= 4 && !s.batch_invariant();
        return more && fits(device, large, rows) ? large : Cut{path, {most_served, 16}};
    }
    // With few rows a second pair of outputs shares the reading of x; with many it would have no
    // registers.
    const bool alone = info(format).block_size == 1 && rows <= most_served_alone;
    const std::uint32_t most = alone ? most_served_alone : most_served;
    const bool more = tile_rows(rows, most) <= 8 && direct_workgroup(device) < lanes;
    return {path, {most, more ? 2u : 1u}};
}

constexpr Cut cuts[] = {
    {MatmulPath::direct, {16, 1}},  {MatmulPath::direct, {16, 2}},  {MatmulPath::direct, {8, 1}},
    {MatmulPath::direct, {8, 2}},   {MatmulPath::direct, {4, 2}},   {MatmulPath::direct, {4, 4}},
    {MatmulPath::direct, {24, 1}},  {MatmulPath::skinny, {16, 8}},  {MatmulPath::skinny, {16, 16}},
    {MatmulPath::skinny, {16, 32}}, {MatmulPath::skinny, {16, 64}}, {MatmulPath::skinny, {8, 8}},
    {MatmulPath::skinny, {8, 16}},  {MatmulPath::skinny, {8, 32}},  {MatmulPath::skinny, {4, 16}},
    {MatmulPath::skinny, {4, 32}},  {MatmulPath::tiled, {}},
};

// CPU implementations are slow with shared memory and barriers, GPUs have registers for more.
bool may_pay(const DeviceInfo& device, MatmulPath path, std::uint32_t rows) {
    if (device.is_cpu || path == MatmulPath::direct)
        return device.is_cpu && path == MatmulPath::direct;
    return path == MatmulPath::skinny ? rows <= most_skinny_rows : 2 * rows >= tile;
}

}  // namespace

Cut cut_of(MatmulPath path, const MatrixCut& cut) {
    return {path, {cut.tile_rows, cut.tile_columns, cut.part_rows, cut.part_columns, cut.slices}};
}

bool fits(const DeviceInfo& device, const Cut& cut, std::uint32_t rows) {
    if (cut.path == MatmulPath::tiled) return true;
    if (by_matrices(cut)) return fits(device, operands_of(cut.path), matrix_cut(cut));
    if (cut.path == MatmulPath::coopmat2) return fits(device, flexible_cut(cut));
    if (cut.path == MatmulPath::dot) return true;
    const auto [most_rows, shares] = std::pair(cut.numbers[0], cut.numbers[1]);
    const std::uint32_t most = cut.path == MatmulPath::direct ? most_served_alone : most_served;
    if (most_rows == 0 || most_rows > most || shares == 0 || shares > panel_rows) return false;
    if (cut.path == MatmulPath::direct) return 2 * direct_workgroup(device) * shares <= panel_rows;
    // A workgroup may be limited in subgroups too, so narrow ones make do with less.
    const std::uint32_t most_invocations = device.subgroup_size >= 32
                                               ? device.max_workgroup_invocations
                                               : std::min(device.max_workgroup_invocations, 256u);
    const std::uint32_t joined = std::min({rows, most_rows, 8u});  // at most, see slices.glsl
    return cut.path == MatmulPath::skinny && lanes * shares <= most_invocations &&
           joined * lanes * shares * 2 * sizeof(float) <= device.shared_memory_bytes;
}

std::optional<Cut> measured_cut(Device& device, const ProductClass& of) {
    const auto& known = tuning(device).choices;
    const auto found = known.find(of);
    if (found == known.end() || !has(device, found->second)) return std::nullopt;
    return found->second;
}

Cut choose_cut(const Stream& s, MatmulPath asked, Rows of, Format format, std::uint32_t rows,
               std::uint32_t out_dim) {
    if (asked == MatmulPath::dot && !info(format).integers) asked = MatmulPath::automatic;
    if (asked == MatmulPath::coopmat2 && !decoded(format)) asked = MatmulPath::coopmat;
    const bool int8 =
        info(format).integers &&
        (asked == MatmulPath::dot || (asked == MatmulPath::automatic && s.int8_activations()));
    // Each path has an order of sums of its own, so where that is to be one there is one path for
    // any number of rows: that of few, which bounds writing a text.
    const auto best =
        s.batch_invariant()
            ? std::nullopt
            : measured_cut(s.device(), product_class(of, format, rows, out_dim, int8));
    const MatmulPath path = asked != MatmulPath::automatic ? asked
                            : best                         ? best->path
                                   : usual_path(s, format, s.batch_invariant() ? 1 : rows);
    return best && best->path == path ? *best : usual_cut(s, path, format, rows, out_dim);
}

std::vector<Cut> cuts_to_try(const DeviceInfo& device, Format format, std::uint32_t rows,
                             bool int8) {
    std::vector<Cut> all;
    if (int8)
        all.push_back({MatmulPath::dot, {}});
    else
        std::ranges::copy_if(cuts, std::back_inserter(all), [&](const Cut& cut) {
            return may_pay(device, cut.path, rows) && fits(device, cut, rows);
        });
    const MatmulPath path = int8 ? MatmulPath::dot : MatmulPath::coopmat;
    if (device.tier(tier_of_matrices(path)).on && !device.is_cpu && format != Format::f32 &&
        rows > 1)
        for (const MatrixCut& cut : matrix_cuts_to_try(device, operands_of(path), rows))
            all.push_back(cut_of(path, cut));
    if (!int8 && device.tier(Tier::coopmat2).on && device.tensor_loads && decoded(format) &&
        rows > 1)
        for (const FlexibleCut& cut : flexible_cuts_to_try(device, rows))
            all.push_back(cut_of(cut));
    // Of those that make the same kernel the first.
    std::vector<Cut> some;
    for (const Cut& cut : all) {
        const auto kernel = tiling(device, cut, format, Rows::all, rows).kernel;
        if (std::ranges::none_of(some, [&](const Cut& other) {
                const auto its = tiling(device, other, format, Rows::all, rows).kernel;
                return its.index == kernel.index && its.constants == kernel.constants;
            }))
            some.push_back(cut);
    }
    return some;
}

Tiling tiling(const DeviceInfo& device, const Cut& cut, Format format, Rows of,
              std::uint32_t rows) {
    if (by_matrices(cut))
        return matrix_tiling(device, operands_of(cut.path), format, of, matrix_cut(cut));
    if (cut.path == MatmulPath::coopmat2)
        return flexible_tiling(device, format, of, flexible_cut(cut),
                               device.tensor_loads ? Loads::tensor : Loads::elements);
    if (cut.path == MatmulPath::dot) return dot_tiling(device, format, of, rows);
    if (cut.path == MatmulPath::tiled) return {kernels::tiled(format, of), tile, tile};
    const auto [most_rows, shares] = std::pair(cut.numbers[0], cut.numbers[1]);
    const std::uint32_t each = tile_rows(rows, most_rows);
    if (cut.path == MatmulPath::skinny)
        return {kernels::skinny(format, of).specialize(lanes * shares, each), each, panel_rows};
    const std::uint32_t workgroup = direct_workgroup(device);
    return {kernels::direct(format, of).specialize(workgroup, each, shares), each,
            2 * workgroup * shares};
}

std::uint32_t pieces_at_once(const Stream& s, double piece_flops) {
    return static_cast<std::uint32_t>(std::clamp(s.most_flops() / piece_flops, 1.0, 1e6));
}

std::uint32_t rows_at_once(const Stream& s, const Tiling& t, double row_flops) {
    constexpr std::uint32_t least = 64;
    const std::uint32_t rows = std::max(1u, least / t.rows) * t.rows;
    return pieces_at_once(s, row_flops * rows) * rows;
}

MatmulChoice matmul_choice(const DeviceInfo& device, Format format, std::uint32_t rows,
                           bool int8_activations) {
    if (int8_activations && info(format).integers)
        return {MatmulPath::dot, dot_by_matrices(device, rows)
                                     ? "activations of 8 bits were asked for; the device has "
                                       "cooperative matrices of them"
                                     : "activations of 8 bits were asked for"};
    if (device.is_cpu)
        return {MatmulPath::direct, "a CPU implementation is slow with shared memory and barriers"};
    if (rows <= most_rows_without_matrices)
        return {MatmulPath::skinny, "few rows: bound by reading the weight, once"};
    if (rows > most_rows_of_small_tiles && device.tier(Tier::coopmat2).on && device.tensor_loads &&
        decoded(format))
        return {MatmulPath::coopmat2, "the device has cooperative matrices of whole workgroups"};
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
