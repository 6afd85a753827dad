#include "runtime/ops.h"

namespace assay::ops {
namespace {

constexpr std::uint32_t tile = 64;                     // as in tiled.comp
constexpr std::uint32_t skinny_slices = 8;             // of the inner dimension, per workgroup
constexpr std::uint32_t most_skinny_rows = 64;

constexpr std::uint32_t ceil_div(std::uint32_t n, std::uint32_t d) { return (n + d - 1) / d; }

// Rows of x that one invocation serves: no more than there are, so that few rows waste no work.
std::uint32_t tile_rows(std::uint32_t rows, std::uint32_t most) {
    std::uint32_t each = 1;
    while (each < most && each < rows) each *= 2;
    return each;
}

MatmulPath choose(const DeviceInfo& device, std::uint32_t rows) {
    // Shared memory and barriers are what a CPU implementation does worst.
    if (device.is_cpu) return MatmulPath::direct;
    // Up to here the product is bound by reading the weight, which the skinny kernel reads once per few rows.
    return rows <= most_skinny_rows ? MatmulPath::skinny : MatmulPath::tiled;
}

void run(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, bool accumulate, MatmulPath path) {
    const std::uint32_t rows = x.rows();
    const shader::MatmulParams params{
        .weight = w, .x = x, .y = y, .rows = rows, .out_dim = w.out_dim, .in_dim = w.in_dim, .accumulate = accumulate};
    const Cost cost{.bytes = static_cast<double>(w.bytes() + x.bytes() + y.bytes()), .flops = 2.0 * static_cast<double>(x.size()) * w.out_dim};
    const std::uint32_t subgroup = s.device().info().subgroup_size;
    if (path == MatmulPath::automatic) path = choose(s.device().info(), rows);
    switch (path) {
    case MatmulPath::automatic:
    case MatmulPath::direct: {
        const std::uint32_t columns = panel_rows / subgroup > 1 ? 2 : 1;
        const std::uint32_t each = tile_rows(rows, 8);
        s.dispatch(kernels::direct(w.format).specialize(subgroup, each, columns), params,
                   {.x = ceil_div(rows, each), .y = ceil_div(w.out_dim, subgroup * columns)}, cost);
        break;
    }
    case MatmulPath::skinny: {
        const std::uint32_t each = tile_rows(rows, 8);
        s.dispatch(kernels::skinny(w.format).specialize(panel_rows * skinny_slices, each), params,
                   {.x = ceil_div(w.out_dim, panel_rows), .y = ceil_div(rows, each)}, cost);
        break;
    }
    case MatmulPath::tiled:
        s.dispatch(kernels::tiled(w.format), params, {.x = ceil_div(rows, tile), .y = ceil_div(w.out_dim, tile)}, cost);
        break;
    }
}

}  // namespace

Tensor matmul(Stream& s, const Weight& w, const Tensor& x, MatmulPath path) {
    Tensor y = s.scratch(x.rows(), w.out_dim);
    run(s, w, x, y, false, path);
    return y;
}

void matmul_add(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, MatmulPath path) { run(s, w, x, y, true, path); }

}  // namespace assay::ops
