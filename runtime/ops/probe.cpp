#include "runtime/ops/probe.h"

#include <cmath>
#include <vector>

#include "runtime/buffer.h"
#include "runtime/error.h"
#include "runtime/half.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// Small whole numbers without a pattern: a product of some hundred of them is exact in f32.
int element(std::uint32_t i) { return static_cast<int>(i * 2654435761u >> 28) - 8; }

template <class T>
Tensor upload_words(Stream& s, const std::vector<T>& values, std::array<std::uint32_t, 3> shape) {
    Tensor tensor = s.upload(std::span(reinterpret_cast<const std::uint32_t*>(values.data()),
                                       values.size() * sizeof(T) / sizeof(std::uint32_t)));
    tensor.shape = shape;
    return tensor;
}

std::vector<std::uint16_t> weight_as_halves(std::uint32_t count) {
    std::vector<std::uint16_t> halves;
    for (std::uint32_t i = 0; i < count; ++i)
        halves.push_back(float_to_half(static_cast<float>(element(i))));
    return halves;
}

// In blocks of Q8_0, all with scale 1.
std::vector<std::uint16_t> weight_as_bytes(std::uint32_t count) {
    std::vector<std::uint16_t> units;
    for (std::uint32_t i = 0; i < count; i += 2) {
        if (i % 32 == 0) units.push_back(float_to_half(1));
        units.push_back(
            static_cast<std::uint16_t>((element(i) & 0xff) | (element(i + 1) & 0xff) << 8));
    }
    return units;
}

// A product whose exact answer is known. The greatest element of each 32 of x is 127, so that bytes
// hold them as they are.
struct ExactProduct {
    Cut (*cut)(const Stream& s, std::uint32_t rows);
    Format format;
    std::vector<std::uint16_t> (*weight)(std::uint32_t count);
    double tolerance;
};
constexpr std::uint32_t probed_outputs = 72;
template <MatmulPath path>
Cut chosen(const Stream& s, std::uint32_t rows) {
    return choose_cut(s, path, Rows::all, Format::f16, rows, probed_outputs);
}
constexpr ExactProduct by_matrices{chosen<MatmulPath::coopmat>, Format::f16, weight_as_halves, 0};
constexpr ExactProduct by_flexible_matrices{chosen<MatmulPath::coopmat2>, Format::f16,
                                            weight_as_halves, 0};
// 1, the scale of x, is 127 / 127, which devices round as they like.
constexpr double scale_tolerance = 0.25;
constexpr ExactProduct by_dot_products{[](const Stream&, std::uint32_t) {
                                           return Cut{MatmulPath::dot, {}};
                                       },
                                       Format::q8_0, weight_as_bytes, scale_tolerance};
constexpr ExactProduct by_matrices_of_bytes{
    [](const Stream& s, std::uint32_t rows) {
        return cut_of(MatmulPath::dot, usual_matrix_cut(s.device().info(), Operands::s8, rows));
    },
    Format::q8_0, weight_as_bytes, scale_tolerance};

int x_element(std::uint32_t i) { return i % 32 == 5 ? 127 : element(7 * i + 3); }

std::optional<std::string> probe_matmul(Device& device, const ExactProduct& product) {
    constexpr std::uint32_t out_dim = probed_outputs, in_dim = 160;
    const auto weight = product.weight(out_dim * in_dim);
    Weight w{.address = 0, .out_dim = out_dim, .in_dim = in_dim, .format = product.format};
    const Buffer buffer(device, w.bytes(), Memory::device, "probe");
    w.address = buffer.address();
    for (const std::uint32_t rows : {5u, 20u, 40u, 100u}) {
        Stream s(device);
        repack(s,
               upload_words(s, weight,
                            {out_dim, static_cast<std::uint32_t>(weight.size()) / out_dim / 2, 1}),
               out_dim, 0, w);
        std::vector<float> x(rows * in_dim), y(rows * out_dim);
        for (std::uint32_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(x_element(i));
        Tensor input = s.upload(std::span<const float>(x));
        input.shape = {rows, in_dim, 1};
        // Twice, so that what is stored is added to as well.
        const Cut cut = product.cut(s, rows);
        const Tensor twice = matmul(s, w, input, cut);
        matmul_add(s, w, input, twice, cut);
        s.download(twice, std::span<float>(y));
        s.wait();
        for (std::uint32_t r = 0; r < rows; ++r)
            for (std::uint32_t o = 0; o < out_dim; ++o) {
                int exact = 0;
                for (std::uint32_t k = 0; k < in_dim; ++k)
                    exact += element(o * in_dim + k) * x_element(r * in_dim + k);
                const double found = double{y[r * out_dim + o]} / 2;
                if (!(std::fabs(found - exact) <= product.tolerance))
                    return std::to_string(found) + " in place of " + std::to_string(exact) +
                           " in a product of " + std::to_string(rows) + " rows";
            }
    }
    return std::nullopt;
}

// Query and key t are all in element t % period, so that a score is hundreds or 0, whose weight
// vanishes beside it: the answer is the mean of the values of the keys like the query, one or two.
std::optional<std::string> probe_attention(Device& device, std::uint32_t head_dim) {
    constexpr std::uint32_t tokens = 40, period = 24, heads = 2;
    constexpr std::uint32_t blocks = (tokens + block_slots - 1) / block_slots;
    const std::uint32_t block_words = block_slots * head_dim / 2;
    constexpr float large = 64;
    std::vector<float> q(tokens * heads * head_dim), y(q.size());
    std::vector<std::uint16_t> keys(blocks * block_slots * head_dim), values(keys.size());
    std::vector<std::uint32_t> table;
    for (std::uint32_t i = 0; i < blocks; ++i) table.push_back(i);
    for (std::uint32_t i = 0; i < tokens * head_dim; ++i)
        values[i] = float_to_half(static_cast<float>(element(i)));
    for (std::uint32_t t = 0; t < tokens; ++t) {
        keys[t * head_dim + t % period] = float_to_half(large);
        for (std::uint32_t h = 0; h < heads; ++h)
            q[(t * heads + h) * head_dim + t % period] = large;
    }
    const QueryRun run{.first_row = 0, .tokens = tokens, .first_position = 0};
    const auto tiles = make_tiles(device, {&run, 1}, heads, AttentionPath::coopmat);
    const auto count = static_cast<std::uint32_t>(tiles.size());
    Stream s(device);
    const KeysValues cache{upload_words(s, keys, {blocks, 1, block_words}),
                           upload_words(s, values, {blocks, 1, block_words}), Cache::f16, 1};
    s.download(attention(s, upload_words(s, q, {tokens, heads, head_dim}), cache,
                         {.block_tables = upload_words(s, table, {1, blocks, 1}),
                          .tiles = upload_words(s, tiles, {count, 4, 1}),
                          .tile_count = count,
                          .single_tiles = 0,
                          .tile_tokens = tiles.front().tokens,
                          .most_keys = tokens},
                         0, AttentionPath::coopmat),
               std::span<float>(y));
    s.wait();
    for (std::uint32_t i = 0; i < y.size(); ++i) {
        const std::uint32_t t = i / (heads * head_dim), at = t * head_dim + i % head_dim;
        const int twice =
            t < period ? 2 * element(at) : element(at) + element(at - period * head_dim);
        if (y[i] != static_cast<float>(twice) / 2)
            return std::to_string(y[i]) + " in place of " +
                   std::to_string(static_cast<double>(twice) / 2) + " in attention";
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> probe(Device& device, Tier tier) {
    try {
        if (tier == Tier::coopmat) {
            auto wrong = probe_matmul(device, by_matrices);
            for (const std::uint32_t head_dim : {64u, 128u})
                if (!wrong && !(device.info().is_cpu && head_dim > 64) &&
                    attends_by_matrices(device.info(), head_dim))
                    wrong = probe_attention(device, head_dim);
            return wrong;
        }
        if (tier == Tier::coopmat2) return probe_matmul(device, by_flexible_matrices);
        if (tier == Tier::coopmat_s8) return probe_matmul(device, by_matrices_of_bytes);
        if (tier == Tier::dot) return probe_matmul(device, by_dot_products);
    } catch (const std::exception& error) {
        return error.what();
    }
    return std::nullopt;
}

}  // namespace assay::ops
