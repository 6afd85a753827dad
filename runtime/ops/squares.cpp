#include <cassert>

#include "runtime/ops.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

constexpr std::uint32_t workgroup = 64;

// How the work on x is cut, and what it costs.
Grid columns_by_experts(const Tensor& sums) {
    return {.x = ceil_div(sums.row_size(), workgroup), .y = sums.rows()};
}

Cost cost_of(const Tensor& x, std::uint32_t times) {
    return {.bytes = static_cast<double>(x.bytes()) * times,
            .flops = 2.0 * static_cast<double>(x.size()) * times};
}

}  // namespace

void add_squares(Stream& s, const Tensor& x, const Tensor& sums, const Tensor& counts) {
    assert(sums.rows() == 1 && sums.row_size() == x.row_size());
    s.dispatch(kernels::squares(Rows::all).specialize(workgroup),
               {.x = x,
                .chosen = {},
                .sums = sums,
                .counts = counts,
                .rows = x.rows(),
                .dim = x.row_size(),
                .x_share = 1},
               columns_by_experts(sums), cost_of(x, 1));
}

void add_squares(Stream& s, const Tensor& x, const Routing& routing, const Tensor& sums,
                 const Tensor& counts) {
    const auto rows = static_cast<std::uint32_t>(routing.chosen.size());
    const std::uint32_t share = rows / x.rows();
    assert(share * x.rows() == rows && sums.row_size() == x.row_size());
    s.dispatch(kernels::squares(Rows::grouped).specialize(workgroup),
               {.x = x,
                .chosen = routing.chosen,
                .sums = sums,
                .counts = counts,
                .rows = rows,
                .dim = x.row_size(),
                .x_share = share},
               columns_by_experts(sums), cost_of(x, share));
}

}  // namespace assay::ops
