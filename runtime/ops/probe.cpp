#include "runtime/ops/probe.h"

#include <cmath>
#include <span>
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

// A weight of whole numbers, and the same as a file has it.
struct WholeNumbers {
    std::vector<int> numbers;
    std::vector<std::uint16_t> units;
};

WholeNumbers in_halves(std::uint32_t count) {
    WholeNumbers weight;
    for (std::uint32_t i = 0; i < count; ++i) {
        weight.numbers.push_back(element(i));
        weight.units.push_back(float_to_half(static_cast<float>(element(i))));
    }
    return weight;
}

// In blocks of Q8_0, all with scale 1.
WholeNumbers in_bytes(std::uint32_t count) {
    WholeNumbers weight;
    for (std::uint32_t i = 0; i < count; i += 2) {
        if (i % 32 == 0) weight.units.push_back(float_to_half(1));
        const int low = element(i), high = element(i + 1);
        weight.numbers.insert(weight.numbers.end(), {low, high});
        weight.units.push_back(static_cast<std::uint16_t>((low & 0xff) | (high & 0xff) << 8));
    }
    return weight;
}

// In blocks of Q2_K (see its file in shaders/formats) with scale and minimum 1: each 16 weights
// have s and m of their own.
WholeNumbers in_two_bits(std::uint32_t count) {
    constexpr std::uint32_t block_size = 256, block_units = 42;
    WholeNumbers weight;
    weight.units.resize(count / block_size * block_units);
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto block = std::span(weight.units).subspan(i / block_size * block_units);
        const auto put = [&](std::uint32_t byte, int bits) {
            block[byte / 2] = static_cast<std::uint16_t>(block[byte / 2] | bits << byte % 2 * 8);
        };
        const std::uint32_t run = i / 16, at = i % block_size;
        const int q = element(i) & 3, s = element(5 * run + 1) & 15, m = element(9 * run + 2) & 15;
        weight.numbers.push_back(s * q - m);
        put(16 + at / 128 * 32 + at % 32, q << at % 128 / 32 * 2);
        if (at % 16 == 0) put(at / 16, s | m << 4);
        block[40] = block[41] = float_to_half(1);
    }
    return weight;
}

// A product whose exact answer is known. The greatest element of each 32 of x is 127, so that bytes
// hold them as they are.
struct ExactProduct {
    Tier tier;
    Cut (*cut)(const Stream& s, std::uint32_t rows);
    Format format;
    WholeNumbers (*weight)(std::uint32_t count);
    std::uint32_t in_dim;
    std::span<const std::uint32_t> rows;  // of products, which have tiles of their own
    double tolerance;
};
constexpr std::uint32_t probed_outputs = 72;
template <MatmulPath path>
Cut chosen(const Stream& s, std::uint32_t rows) {
    return choose_cut(s, path, Rows::all, Format::f16, rows, probed_outputs);
}
Cut dot_products(const Stream&, std::uint32_t) { return {MatmulPath::dot, {}}; }
Cut matrices_of_bytes(const Stream& s, std::uint32_t rows) {
    return cut_of(MatmulPath::dot, usual_matrix_cut(s.device().info(), Operands::s8, rows));
}

constexpr std::uint32_t few[] = {5}, few_and_many[] = {5, 100}, every[] = {5, 20, 40, 100};
// 1, the scale of x, is 127 / 127, which devices round as they like.
constexpr double scale_tolerance = 0.25;
// Q2_K is what Q8_0 is not: it has minima, and two scales in a block of x.
constexpr ExactProduct products[] = {
    {Tier::coopmat, chosen<MatmulPath::coopmat>, Format::f16, in_halves, 160, every, 0},
    {Tier::coopmat2, chosen<MatmulPath::coopmat2>, Format::f16, in_halves, 160, every, 0},
    {Tier::dot, dot_products, Format::q8_0, in_bytes, 160, few_and_many, scale_tolerance},
    {Tier::dot, dot_products, Format::q2_k, in_two_bits, 256, few, scale_tolerance},
    {Tier::coopmat_s8, matrices_of_bytes, Format::q8_0, in_bytes, 160, every, scale_tolerance},
    {Tier::coopmat_s8, matrices_of_bytes, Format::q2_k, in_two_bits, 256, few_and_many,
     scale_tolerance},
};

int x_element(std::uint32_t i) { return i % 32 == 5 ? 127 : element(7 * i + 3); }

std::optional<std::string> probe_matmul(Device& device, const ExactProduct& product) {
    constexpr std::uint32_t out_dim = probed_outputs;
    const std::uint32_t in_dim = product.in_dim;
    const auto [numbers, units] = product.weight(out_dim * in_dim);
    Weight w{.address = 0, .out_dim = out_dim, .in_dim = in_dim, .format = product.format};
    const Buffer buffer(device, w.bytes(), Memory::device, "probe");
    w.address = buffer.address();
    for (const std::uint32_t rows : product.rows) {
        // A CPU implementation takes seconds to compile a tile, and has them for tests alone.
        if (product.tier == Tier::coopmat_s8 && device.info().is_cpu && rows > few[0]) break;
        Stream s(device);
        const auto row_words = static_cast<std::uint32_t>(units.size()) / out_dim / 2;
        repack(s, upload_words(s, units, {out_dim, row_words, 1}), out_dim, 0, w);
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
                    exact += numbers[o * in_dim + k] * x_element(r * in_dim + k);
                const double found = double{y[r * out_dim + o]} / 2;
                if (!(std::fabs(found - exact) <= product.tolerance))
                    return std::to_string(found) + " in place of " + std::to_string(exact) +
                           " in a product of " + std::to_string(rows) + " rows of " +
                           std::string(info(product.format).name);
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
        std::optional<std::string> wrong;
        for (const ExactProduct& product : products)
            if (!wrong && product.tier == tier) wrong = probe_matmul(device, product);
        for (const std::uint32_t head_dim : {64u, 128u})
            if (!wrong && tier == Tier::coopmat && !(device.info().is_cpu && head_dim > 64) &&
                attends_by_matrices(device.info(), head_dim))
                wrong = probe_attention(device, head_dim);
        return wrong;
    } catch (const std::exception& error) {
        return error.what();
    }
}

}  // namespace assay::ops
