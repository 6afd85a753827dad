#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// x in halves with a scale for each row.
Packed halve(Stream& s, const Tensor& x, std::uint32_t rows, const Tensor& order) {
    const Packed packed{s.scratch(rows, x.row_size() / 2), s.scratch(rows, 1)};
    const std::uint32_t workgroup =
        s.device().info().is_cpu ? s.device().info().subgroup_size : 256;
    s.dispatch(kernels::halve(order.address != 0 ? Rows::grouped : Rows::all).specialize(workgroup),
               {.x = x,
                .order = order,
                .halves = packed.values,
                .scales = packed.scales,
                .dim = x.row_size(),
                .x_share = rows / x.rows()},
               {.x = rows},
               {.bytes = static_cast<double>(x.bytes() + packed.values.bytes()), .flops = 0});
    return packed;
}

// x in bytes with a scale for every 32 elements.
Packed quantise(Stream& s, const Tensor& x, std::uint32_t rows, const Tensor& order) {
    constexpr std::uint32_t workgroup = 64;
    const std::uint32_t blocks = x.row_size() / 32;
    const Packed packed{s.scratch(rows, 8 * blocks), s.scratch(rows, 2 * blocks)};
    s.dispatch(
        kernels::quantise(order.address != 0 ? Rows::grouped : Rows::all).specialize(workgroup),
        {.x = x,
         .order = order,
         .bytes = packed.values,
         .scales = packed.scales,
         .dim = x.row_size(),
         .x_share = rows / x.rows()},
        {.x = rows, .y = ceil_div(blocks, workgroup)},
        {.bytes = static_cast<double>(x.bytes() + packed.values.bytes() + packed.scales.bytes()),
         .flops = 0});
    return packed;
}

Packed pack(Stream& s, MatmulPath path, const Tensor& x, std::uint32_t rows, const Tensor& order) {
    if (path == MatmulPath::coopmat || path == MatmulPath::coopmat2)
        return halve(s, x, rows, order);
    if (path == MatmulPath::dot) return quantise(s, x, rows, order);
    return {};
}

}  // namespace

Packed pack(Stream& s, MatmulPath path, const Tensor& x) { return pack(s, path, x, x.rows(), {}); }

Packed pack(Stream& s, const Routing& routing, const Tensor& x) {
    return pack(s, routing.path, x, static_cast<std::uint32_t>(routing.chosen.size()),
                routing.order);
}

}  // namespace assay::ops
