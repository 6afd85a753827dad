#include <algorithm>
#include <bit>
#include <cmath>

#include "runtime/ops/attention_cut.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// How a workgroup is shared out, see attention.comp and attention_direct.comp.
struct Shape {
    AttentionPath path;
    std::uint32_t workgroup;  // invocations
    std::uint32_t rows;       // query rows of one key-value head
};

std::uint32_t power_of_two_from(std::uint32_t n, std::uint32_t most) {
    return std::min(std::bit_ceil(n), most);
}

// `queries` is the most (token, head) pairs of a tile that read one key-value head.
Shape shape(const DeviceInfo& device, const AttentionCut& cut, bool prompt, std::uint32_t queries) {
    if (cut.path == AttentionPath::coopmat)
        return {cut.path, cut.width / matrix_shape(device).rows * device.subgroup_size, cut.width};
    const std::uint32_t subgroup = std::bit_floor(std::max(device.subgroup_size, 1u));
    if (cut.path == AttentionPath::direct)
        return {cut.path, std::min(subgroup, block_slots), power_of_two_from(queries, 8)};
    const std::uint32_t lanes = cut.width, least = std::max(128u, subgroup) / lanes;
    if (prompt) return {cut.path, least * lanes, least};
    // One workgroup for all heads that share a key-value head reads it from memory once.
    const std::uint32_t most = std::min(device.max_workgroup_invocations, 512u) / lanes;
    const std::uint32_t rows = std::max(least, power_of_two_from(queries, most));
    return {cut.path, rows * lanes, rows};
}

// The query rows of a workgroup at its widest, for any cache and size of heads.
std::uint32_t widest(const DeviceInfo& device, AttentionPath path, std::uint32_t tile_tokens,
                     std::uint32_t queries) {
    const bool prompt = tile_tokens > 1,
               matrices = device.tier(Tier::coopmat).on && !device.is_cpu && prompt;
    if (path == AttentionPath::coopmat || (path == AttentionPath::automatic && matrices))
        return most_matrix_rows;
    if (path == AttentionPath::automatic)
        path = device.is_cpu ? AttentionPath::direct : AttentionPath::cooperative;
    return shape(device, usual_cut(device, path, {.prompt = prompt}, false), prompt, queries).rows;
}

Variant<shader::AttentionParams> kernel(const DeviceInfo& device, const Shape& shape, Cache cache,
                                        std::uint32_t head_dim) {
    if (shape.path == AttentionPath::direct)
        return kernels::attention_direct(cache).specialize(shape.workgroup, shape.rows, head_dim);
    if (shape.path == AttentionPath::cooperative)
        return kernels::attention(cache).specialize(shape.workgroup, shape.workgroup / shape.rows,
                                                    head_dim);
    const MatrixShape& matrix = matrix_shape(device);
    return kernels::attention_coopmat(cache).specialize(
        shape.workgroup, shape.workgroup / device.subgroup_size, head_dim, matrix.rows,
        matrix.columns, matrix.depth);
}

// Splitting keys pays while it adds workgroups to a device that has room for them.
std::uint32_t enough_groups(const DeviceInfo& device) { return device.is_cpu ? 16 : 512; }

// Heads and tokens whose keys may be split further than usual; of more the scratch would be large.
constexpr std::uint32_t few_rows = 2048;

std::uint64_t partial_bytes(std::uint32_t keys, std::uint32_t split_keys, std::uint64_t rows,
                            std::uint32_t head_dim) {
    return std::uint64_t{ceil_div(keys, split_keys)} * rows * (head_dim + 2) * sizeof(float);
}

}  // namespace

std::vector<shader::QueryTile> make_tiles(const Device& device, std::span<const QueryRun> runs,
                                          std::uint32_t group, AttentionPath path) {
    std::uint32_t most = 0;
    for (const QueryRun& run : runs) most = std::max(most, run.tokens);
    // Workgroups that take fewer rows, as batch-invariant ones do, share a tile of this size.
    const std::uint32_t tokens =
        std::max(1u, widest(device.info(), path, most, most * group) / group);
    std::vector<shader::QueryTile> tiles;
    for (std::uint32_t sequence = 0; sequence < runs.size(); ++sequence)
        for (std::uint32_t t = 0; t < runs[sequence].tokens; t += tokens)
            tiles.push_back({.sequence = sequence,
                             .first_row = runs[sequence].first_row + t,
                             .tokens = std::min(tokens, runs[sequence].tokens - t),
                             .first_position = runs[sequence].first_position + t});
    std::ranges::stable_partition(tiles, [](auto& tile) { return tile.tokens == 1; });
    return tiles;
}

std::uint64_t attention_scratch_bytes(const DeviceInfo& device, std::uint32_t rows,
                                      std::uint32_t heads, std::uint32_t head_dim,
                                      std::uint32_t most_keys, bool batch_invariant) {
    if (most_keys <= usual_split_keys) return 0;
    const std::uint64_t all_rows = std::uint64_t{rows} * heads;
    // Batch-invariant streams split however many rows there are.
    if (batch_invariant) return partial_bytes(most_keys, usual_split_keys, all_rows, head_dim);
    const auto rows_of_a_group = [&](std::uint32_t tile_tokens) {
        return widest(device, AttentionPath::automatic, tile_tokens, rows * heads);
    };
    const std::uint64_t split_rows = std::min<std::uint64_t>(
        all_rows, enough_groups(device) * std::max(rows_of_a_group(1), rows_of_a_group(2)));
    return std::max(partial_bytes(most_keys, usual_split_keys, split_rows, head_dim),
                    partial_bytes(most_keys, least_split_keys,
                                  std::min<std::uint64_t>(all_rows, few_rows), head_dim));
}

Tensor attention(Stream& s, const Tensor& q, const KeysValues& cache, const Attended& step,
                 std::uint32_t window, AttentionPath path) {
    const std::uint32_t rows = q.rows(), heads = q.shape[1], head_dim = q.shape[2],
                        kv_heads = cache.kv_heads;
    // Tiles of one token, which write texts, have a kernel made for few queries.
    struct Part {
        std::uint32_t first, end, queries, split_keys;
        Shape shape;
        std::uint32_t chunks() const { return (queries + shape.rows - 1) / shape.rows; }
    };
    const auto part = [&](std::uint32_t first, std::uint32_t end, std::uint32_t tokens) {
        const std::uint32_t queries = tokens * (heads / kv_heads);
        const bool prompt = tokens > 1;
        const AttentionCut cut = choose_cut(s, path, {cache.format, head_dim, prompt});
        return Part{first, end, queries, cut.split_keys,
                    shape(s.device().info(), cut, prompt, queries)};
    };
    const Part parts[] = {part(0, step.single_tiles, 1),
                          part(step.single_tiles, step.tile_count, step.tile_tokens)};
    std::uint32_t groups = 0;
    for (const Part& p : parts) groups += (p.end - p.first) * p.chunks() * kv_heads;
    const bool split = s.batch_invariant() || groups < enough_groups(s.device().info());
    std::uint32_t split_keys = parts[step.single_tiles < step.tile_count ? 1 : 0].split_keys;
    if (rows * heads > few_rows || step.most_keys <= usual_split_keys)
        split_keys = std::max(split_keys, usual_split_keys);
    const std::uint32_t splits = split ? ceil_div(step.most_keys, split_keys) : 1;

    Tensor y = s.scratch(rows, heads * head_dim).heads(heads);
    auto scratch = s.scope();
    const Tensor partials = splits > 1 ? s.scratch(splits * rows * heads, head_dim + 2) : y;
    const double tile_bytes =
        2.0 * step.most_keys * kv_heads * static_cast<double>(row_bytes(cache.format, head_dim));
    for (const Part& p : parts) {
        const double tile_flops = 4.0 * step.most_keys * kv_heads * head_dim * p.queries;
        const auto tiles_at_once =
            static_cast<std::uint32_t>(std::clamp(s.most_flops() / tile_flops, 1.0, 1e6));
        for (std::uint32_t tile = p.first; tile < p.end; tile += tiles_at_once) {
            const std::uint32_t tiles = std::min(tiles_at_once, p.end - tile);
            const Tensor these{step.tiles.address + tile * sizeof(shader::QueryTile)};
            s.dispatch(
                kernel(s.device().info(), p.shape, cache.format, head_dim),
                {.q = q,
                 .keys = cache.keys,
                 .values = cache.values,
                 .block_tables = step.block_tables,
                 .tiles = these,
                 .y = y,
                 .partials = partials,
                 .rows = rows,
                 .heads = heads,
                 .kv_heads = kv_heads,
                 .table_stride = step.block_tables.row_size(),
                 .window = window,
                 .chunks = p.chunks(),
                 .split_keys =
                     splits > 1 ? split_keys : ceil_div(step.most_keys, block_slots) * block_slots,
                 .splits = splits,
                 .scale = 1 / std::sqrt(static_cast<float>(head_dim))},
                {.x = tiles * p.chunks(), .y = kv_heads, .z = splits},
                {.bytes = tile_bytes * tiles, .flops = tile_flops * tiles});
        }
    }
    if (splits > 1)
        s.dispatch(
            kernels::attention_reduce().specialize(std::max(32u, s.device().info().subgroup_size)),
            {.partials = partials,
             .y = y,
             .heads_total = rows * heads,
             .head_dim = head_dim,
             .splits = splits},
            {.x = rows, .y = heads},  // not all along x, where a device may offer 65535
            {.bytes = static_cast<double>(partials.bytes() + y.bytes())});
    return y;
}

}  // namespace assay::ops
