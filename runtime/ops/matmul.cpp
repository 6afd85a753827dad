#include <algorithm>

#include "runtime/ops.h"

namespace assay::ops {
namespace {

constexpr std::uint32_t tile = 64;  // as in tiled.comp
constexpr std::uint32_t lanes =
    panel_rows / 2;  // invocations that share a panel, each with two rows of the weight
constexpr std::uint32_t most_skinny_rows = 64;

constexpr std::uint32_t ceil_div(std::uint32_t n, std::uint32_t d) { return (n + d - 1) / d; }

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

// Some rows of x, all of which make up `rows_in_all`: by these the kernel's shape is chosen, so
// that cutting changes no result.
void dispatch(Stream& s, const Weight& w, const Tensor& x, const Tensor& y,
              std::uint32_t rows_in_all, bool accumulate, MatmulPath path) {
    const std::uint32_t rows = x.rows();
    const shader::MatmulParams params{.weight = w,
                                      .x = x,
                                      .y = y,
                                      .rows = rows,
                                      .out_dim = w.out_dim,
                                      .in_dim = w.in_dim,
                                      .accumulate = accumulate};
    const Cost cost{.bytes = static_cast<double>(w.bytes() + x.bytes() + y.bytes()),
                    .flops = 2.0 * static_cast<double>(x.size()) * w.out_dim};
    const DeviceInfo& device = s.device().info();
    switch (path) {
        case MatmulPath::automatic:
        case MatmulPath::direct: {
            const std::uint32_t subgroup = std::min(device.subgroup_size, lanes);
            const std::uint32_t each = direct_rows(rows_in_all);
            // With few rows a second pair of outputs shares the reading of x; with many it would
            // have no registers.
            const std::uint32_t pairs = each <= 4 && subgroup < lanes ? 2 : 1;
            s.dispatch(kernels::direct(w.format).specialize(subgroup, each, pairs), params,
                       {.x = ceil_div(rows, each), .y = ceil_div(w.out_dim, 2 * subgroup * pairs)},
                       cost);
            break;
        }
        case MatmulPath::skinny: {
            const std::uint32_t each = tile_rows(rows_in_all, 8);
            // Few outputs make few workgroups, which must be larger to keep enough reads under way.
            // A workgroup may be limited in subgroups too, so narrow ones make do with less.
            const bool may_be_large =
                device.max_workgroup_invocations >= 512 && device.subgroup_size >= 32;
            const std::uint32_t slices = w.out_dim <= 8192 && each <= 4 && may_be_large ? 32 : 16;
            s.dispatch(kernels::skinny(w.format).specialize(lanes * slices, each), params,
                       {.x = ceil_div(w.out_dim, panel_rows), .y = ceil_div(rows, each)}, cost);
            break;
        }
        case MatmulPath::tiled:
            s.dispatch(kernels::tiled(w.format), params,
                       {.x = ceil_div(rows, tile), .y = ceil_div(w.out_dim, tile)}, cost);
            break;
    }
}

void run(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, bool accumulate,
         MatmulPath path) {
    if (path == MatmulPath::automatic) path = matmul_path(s.device().info(), x.rows());
    const double row_flops = 2.0 * w.in_dim * w.out_dim;
    const auto tiles_at_once =
        static_cast<std::uint32_t>(std::clamp(s.most_flops() / (row_flops * tile), 1.0, 1e6));
    for (std::uint32_t row = 0; row < x.rows(); row += tiles_at_once * tile) {
        const std::uint32_t rows = std::min(tiles_at_once * tile, x.rows() - row);
        dispatch(s, w, x.slice(row, rows), y.slice(row, rows), x.rows(), accumulate, path);
    }
}

}  // namespace

MatmulPath matmul_path(const DeviceInfo& device, std::uint32_t rows) {
    // Shared memory and barriers are what a CPU implementation does worst.
    if (device.is_cpu) return MatmulPath::direct;
    // Up to here the product is bound by reading the weight, which the skinny kernel reads once per
    // few rows.
    return rows <= most_skinny_rows ? MatmulPath::skinny : MatmulPath::tiled;
}

Tensor matmul(Stream& s, const Weight& w, const Tensor& x, MatmulPath path) {
    Tensor y = s.scratch(x.rows(), w.out_dim);
    run(s, w, x, y, false, path);
    return y;
}

void matmul_add(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, MatmulPath path) {
    run(s, w, x, y, true, path);
}

}  // namespace assay::ops
