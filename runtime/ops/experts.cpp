#include <algorithm>
#include <cassert>

#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// One path and cut takes all of an expert's products: that of the format which the fewest paths
// serve.
Format least_served(const ExpertWeights& w) {
    const auto paths = [](Format format) {
        return format == Format::f32 ? 0 : info(format).integers ? 3 : decoded(format) ? 2 : 1;
    };
    const Format up = w.interleaved()
                          ? w.w1.first.format
                          : std::ranges::min(w.w1.first.format, w.w3.first.format, {}, paths);
    return std::ranges::min(up, w.w2.first.format, {}, paths);
}

Tiling tiling(const Stream& s, const Routing& routing, const ExpertWeights& all, const Weight& w) {
    const Cut cut = choose_cut(s, routing.path, Rows::grouped, least_served(all),
                               routing.expert_rows, w.out_dim);
    return tiling(s.device().info(), cut, w.format, Rows::grouped, routing.expert_rows);
}

// Workgroups along y of the dispatches that make a product of routed rows, each as many. It is cut
// by columns, since only the device knows where an expert's rows end.
std::uint32_t grouped_columns(const Stream& s, const Tiling& t, std::uint32_t rows,
                              const Weight& w) {
    const std::uint32_t groups = ceil_div(w.out_dim, t.columns);
    const std::uint32_t most =
        std::min(pieces_at_once(s, 2.0 * w.in_dim * rows * t.columns), most_groups);
    return ceil_div(groups, ceil_div(groups, most));
}

Tensor run(Stream& s, const ExpertWeights& all, const WeightStack& stack, const Tensor& x,
           const Routing& routing, Routing::Product product, std::uint32_t epilogue) {
    const Weight& w = stack.first;
    const std::uint32_t rows = static_cast<std::uint32_t>(routing.chosen.size()),
                        experts = stack.slots.rows();
    const Tiling t = tiling(s, routing, all, w);
    const std::uint32_t columns = routing.columns[product] * t.columns;
    const Tensor y =
        s.scratch(rows, epilogue == shader::epilogue_swiglu ? w.out_dim / 2 : w.out_dim);
    auto scratch = s.scope();
    const Packed packed = pack(s, routing, x);
    const double share = std::min(1.0, static_cast<double>(columns) / w.out_dim);
    const double weight_bytes = static_cast<double>(w.bytes()) * std::min(rows, experts);
    for (std::uint32_t column = 0; column < w.out_dim; column += columns)
        s.dispatch(t.kernel,
                   {.weight = w,
                    .codebook = {s.device().codebooks()},
                    .x = x,
                    .packed = packed.values,
                    .scales = packed.scales,
                    .y = y,
                    .tiles = routing.tiles,
                    .order = routing.order,
                    .slots = stack.slots,
                    .rows = rows,
                    .out_dim = w.out_dim,
                    .in_dim = w.in_dim,
                    .first_column = column,
                    .epilogue = epilogue,
                    .x_share = rows / x.rows(),
                    .slot_words = static_cast<std::uint32_t>(stack.slot_bytes / 4)},
                   routing.groups.slice(product, 1),
                   {.bytes = share * (weight_bytes + static_cast<double>(x.bytes() + y.bytes())),
                    .flops = share * 2.0 * w.in_dim * rows * w.out_dim});
    return y;
}

}  // namespace

std::uint32_t expert_rows(std::uint32_t tokens, std::uint32_t top_k, std::uint32_t experts) {
    return std::min(tokens, 2 * ceil_div(tokens * top_k, experts));
}

Routing route(Stream& s, const Tensor& logits, std::uint32_t top_k, const ExpertWeights& w,
              MatmulPath path) {
    const DeviceInfo& device = s.device().info();
    const std::uint32_t tokens = logits.rows(), experts = logits.row_size(), rows = tokens * top_k;
    Routing r;
    r.chosen = s.scratch(tokens, top_k);
    r.weights = s.scratch(tokens, top_k);
    r.expert_rows = expert_rows(tokens, top_k, experts);
    r.path = choose_cut(s, path, Rows::grouped, least_served(w), r.expert_rows,
                        w.w1.first.out_dim)
                 .path;
    constexpr std::uint32_t workgroup = 64;
    s.dispatch(kernels::route().specialize(workgroup),
               {.logits = logits,
                .chosen = r.chosen,
                .weights = r.weights,
                .tokens = tokens,
                .experts = experts,
                .top_k = top_k},
               {.x = ceil_div(tokens, workgroup)},
               {.bytes = static_cast<double>(logits.bytes()), .flops = 0});

    const Tiling up = tiling(s, r, w, w.w1.first), down = tiling(s, r, w, w.w2.first);
    assert(up.rows == down.rows);
    r.columns = {grouped_columns(s, up, rows, w.w1.first),
                 grouped_columns(s, down, rows, w.w2.first)};
    r.order = s.scratch(rows, 1);
    r.tiles = s.scratch(std::min(rows, rows / up.rows + experts), sizeof(shader::ExpertTile) / 4);
    r.groups = s.scratch(2, 3);
    s.dispatch(
        kernels::sort().specialize(std::min(device.max_workgroup_invocations, 256u), experts),
        {.chosen = r.chosen,
         .order = r.order,
         .tiles = r.tiles,
         .groups = r.groups,
         .rows = rows,
         .tile_rows = up.rows,
         .columns = {r.columns[0], r.columns[1]}},
        Grid{}, {.bytes = 12.0 * rows, .flops = 0});
    return r;
}

void fetch_experts(Stream& s, const ExpertPool& pool, std::uint32_t layer, const Tensor& store,
                   const Routing& routing) {
    const std::uint32_t experts = store.rows(), words = store.row_size();
    const std::uint32_t workgroup = std::min(s.device().info().max_workgroup_invocations, 256u);
    const std::uint32_t columns =
        std::min(ceil_div(words, workgroup * shader::copied_words), most_groups);
    const Tensor copies = s.scratch(experts, 2), groups = s.scratch(1, 3);
    s.dispatch(kernels::fetch().specialize(64, experts),
               {.chosen = routing.chosen,
                .slot_of = pool.slot_of,
                .owner = pool.owner,
                .used = pool.used,
                .counters = pool.counters,
                .copies = copies,
                .groups = groups,
                .rows = static_cast<std::uint32_t>(routing.chosen.size()),
                .first = layer * pool.slot_of.row_size(),
                .pool_slots = pool.slots.rows(),
                .columns = columns},
               Grid{});
    // How many there are to copy is not known here; a step for one token rarely misses them all.
    s.dispatch(kernels::copy().specialize(workgroup),
               {.copies = copies,
                .store = store,
                .pool = pool.slots,
                .words = words,
                .slot_words = pool.slots.row_size()},
               groups, {.bytes = 8.0 * words, .flops = 0});
}

Tensor experts_up(Stream& s, const ExpertWeights& w, const Tensor& x, const Routing& routing) {
    if (w.interleaved()) return run(s, w, w.w1, x, routing, Routing::up, shader::epilogue_swiglu);
    return silu_mul(s, run(s, w, w.w1, x, routing, Routing::up, shader::epilogue_store),
                    run(s, w, w.w3, x, routing, Routing::up, shader::epilogue_store));
}

Tensor experts_down(Stream& s, const ExpertWeights& w, const Tensor& x, const Routing& routing) {
    return run(s, w, w.w2, x, routing, Routing::down, shader::epilogue_store);
}

void combine_add(Stream& s, const Tensor& y, const Routing& routing, const Tensor& x) {
    constexpr std::uint32_t workgroup = 64;
    s.dispatch(kernels::combine().specialize(workgroup),
               {.y = y,
                .weights = routing.weights,
                .x = x,
                .top_k = routing.weights.row_size(),
                .dim = x.row_size()},
               {.x = x.rows()},
               {.bytes = static_cast<double>(y.bytes() + 2 * x.bytes()),
                .flops = 2.0 * static_cast<double>(y.size())});
}

}  // namespace assay::ops
