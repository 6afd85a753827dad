#include <algorithm>
#include <cmath>
#include <cstring>

#include "bench/kernels/cost.h"
#include "bench/kernels/kv_blocks.h"
#include "bench/kernels/products.h"
#include "bench/kernels/work.h"
#include "bench/random_blocks.h"
#include "runtime/ops/tuning.h"
#include "tests/reference/reference.h"

namespace assay::bench {
namespace {

// Blocks of one side of a KV cache. They hold the elements of a few that were made, in turn.
class RandomBlocksOfKeys {
public:
    RandomBlocksOfKeys(Cache format, const ModelShape& model, std::uint32_t seed)
        : made_{format, model.kv_heads, model.head_dim} {
        std::vector<std::byte>& bytes = made_.bytes;
        bytes.resize(period * made_.block_bytes());
        RandomBlocks random(seed);
        if (format == Cache::f32) random.fill(Format::f32, 1, bytes);
        if (format == Cache::f16) random.fill(Format::f16, 1, bytes);
        if (format == Cache::q8_0)
            for (std::size_t part = 0; part < bytes.size(); part += made_.part_bytes()) {
                random.fill(Format::q8_0, 1, std::span(bytes).subspan(part, made_.part_bytes()));
                for (std::size_t at = made_.scales_begin(); at < made_.part_bytes(); at += 2)
                    put_scale(part + at);
            }
    }

    Buffer upload(Stream& s, std::uint32_t blocks) const {
        const std::uint64_t block_bytes = made_.block_bytes();
        Buffer buffer(s.device(), blocks * block_bytes, Memory::device, "KV cache");
        std::vector<std::uint32_t> words(made_.bytes.size() / 4);
        std::memcpy(words.data(), made_.bytes.data(), made_.bytes.size());
        const Tensor source = s.upload(std::span<const std::uint32_t>(words));
        const auto block_words = static_cast<std::uint32_t>(block_bytes / 4);
        for (std::uint32_t block = 0; block < blocks; block += period) {
            const std::uint32_t count = std::min(period, blocks - block);
            const Tensor from{source.address, {count, block_words, 1}};
            s.copy(from, {buffer.address() + block * block_bytes, from.shape});
        }
        s.wait();
        return buffer;
    }
    float element(std::uint32_t block, std::uint32_t head, std::uint32_t slot,
                  std::uint32_t i) const {
        return made_.element(block % period, head, slot, i);
    }

private:
    static constexpr std::uint32_t period = 61;

    void put_scale(std::size_t at) {
        const std::uint16_t bits = float_to_half(1.0F / 74);  // makes random bytes about 1
        std::memcpy(&made_.bytes[at], &bits, sizeof bits);
    }

    KvBlocks made_;
};

class AttentionWork : public Work {
public:
    AttentionWork(Stream& s, const Case& c)
        : case_(c),
          model_(*c.shape->model),
          texts_(c.decodes() ? c.rows : 1),
          tokens_(c.decodes() ? 1 : c.rows),
          blocks_((c.keys + ops::block_slots - 1) / ops::block_slots),
          keys_(*c.kv, model_, 1),
          values_(*c.kv, model_, 2),
          key_buffer_(keys_.upload(s, texts_ * blocks_)),
          value_buffer_(values_.upload(s, texts_ * blocks_)) {
        std::vector<ops::QueryRun> runs;
        std::vector<std::uint32_t> tables;
        for (std::uint32_t text = 0; text < texts_; ++text) {
            runs.push_back({text * tokens_, tokens_, c.keys - tokens_});
            for (std::uint32_t block = 0; block < blocks_; ++block)
                tables.push_back(block_of(text, block));
        }
        const auto tiles = ops::make_tiles(s.device(), runs, model_.heads / model_.kv_heads);
        const auto count = static_cast<std::uint32_t>(tiles.size());
        tables_ = Operand(s, tables, {texts_, blocks_, 1});
        tiles_ = Operand(s, tiles, {count, sizeof(shader::QueryTile) / 4, 1});
        s.wait();
        attended_ = {.block_tables = tables_,
                     .tiles = tiles_,
                     .tile_count = count,
                     .single_tiles = static_cast<std::uint32_t>(
                         std::ranges::count(tiles, 1u, &shader::QueryTile::tokens)),
                     .tile_tokens = std::ranges::max(tiles, {}, &shader::QueryTile::tokens).tokens,
                     .most_keys = c.keys};
    }

    Errors check(Stream& s, Data data) override {
        std::vector<float> q = numbers_.rows(case_.rows, model_.q_size(), Data::random);
        if (data == Data::adversarial)  // scores so far apart that one key takes all
            for (float& value : q) value *= 300;
        q_ = Operand(s, q, {case_.rows, model_.heads, model_.head_dim});
        s.clear_profile();
        std::vector<float> y(q.size());
        s.download(attention(s), std::span(y));
        s.wait();
        halves_ = takes_halves(s.profile());
        ErrorMeter meter;
        meter.count_not_finite(y);
        for (const std::uint32_t row : spread(case_.rows, 4))
            for (const std::uint32_t head : spread(model_.heads, 3))
                compare(q, y, row, head, meter);
        return meter.errors();
    }

    void run(Stream& s) override { attention(s); }

    Cost cost() const override {
        return attention_cost(model_, *case_.kv, texts_, tokens_, case_.keys);
    }

    std::string why(Device& device) const override {
        if (ops::measured_cut(device, {*case_.kv, model_.head_dim, attended_.tile_tokens > 1}))
            return "tuned: measured to be the fastest on this device";
        if (device.info().is_cpu)
            return "a CPU implementation, for which sums over invocations are slow";
        return halves_ ? "the device multiplies matrices, and a text has several tokens"
                       : "invocations share the keys of a query";
    }

private:
    // A text's blocks lie apart from each other.
    std::uint32_t block_of(std::uint32_t text, std::uint32_t block) const {
        return block * texts_ + text;
    }

    Tensor attention(Stream& s) {
        const ops::KeysValues cache{.keys = {key_buffer_.address(), {1, 1, 1}},
                                    .values = {value_buffer_.address(), {1, 1, 1}},
                                    .format = *case_.kv,
                                    .kv_heads = model_.kv_heads};
        return ops::attention(s, q_, cache, attended_, 0);
    }

    // A score is a sum of head_dim terms and a result one of up to `keys` terms, each off by about
    // the square root of their number (Higham & Mary 2019); exp() adds 3 units in the last place,
    // and as many per unit of the score as the score is off. Halves are rounded to 11 bits, in both
    // products.
    double allowed() const {
        const double sums = (16 + std::sqrt(model_.head_dim) + std::sqrt(case_.keys)) * 0x1p-24;
        return halves_ ? sums + 4 * 0x1p-11 : sums;
    }

    void compare(const std::vector<float>& q, const std::vector<float>& y, std::uint32_t row,
                 std::uint32_t head, ErrorMeter& meter) const {
        const std::uint32_t dim = model_.head_dim, text = row / tokens_,
                            seen = case_.keys - tokens_ + row % tokens_ + 1,
                            kv_head = head / (model_.heads / model_.kv_heads);
        std::vector<float> keys, values;
        for (std::uint32_t key = 0; key < seen; ++key)
            for (std::uint32_t i = 0; i < dim; ++i) {
                const std::uint32_t block = block_of(text, key / ops::block_slots),
                                    slot = key % ops::block_slots;
                keys.push_back(keys_.element(block, kv_head, slot, i));
                values.push_back(values_.element(block, kv_head, slot, i));
            }
        const std::size_t at = (std::size_t{row} * model_.heads + head) * dim;
        const auto exact = reference::attention(
            std::span(q).subspan(at, dim), keys, values,
            {.heads = 1, .kv_heads = 1, .head_dim = dim, .first_position = seen - 1, .window = 0});
        for (std::uint32_t i = 0; i < dim; ++i)
            meter.add(y[at + i], exact.values[i], allowed() * exact.magnitudes[i]);
    }

    Case case_;
    const ModelShape& model_;
    std::uint32_t texts_, tokens_, blocks_;  // tokens, blocks: of a text
    RandomBlocksOfKeys keys_, values_;
    Buffer key_buffer_, value_buffer_;
    Operand tables_, tiles_, q_;
    ops::Attended attended_;
    bool halves_ = false;  // the kernel rounds its operands to halves
    Numbers numbers_{9};
};

// Rows of q, k and v, which are written to a cache in the order of the rows.
class RopeWork : public Work {
public:
    RopeWork(Stream& s, const Case& c) : case_(c), model_(*c.shape->model) {
        const std::uint32_t blocks = (c.rows + ops::block_slots - 1) / ops::block_slots;
        side_bytes_ = blocks * KvBlocks{*c.kv, model_.kv_heads, model_.head_dim}.block_bytes();
        keys_ = Buffer(s.device(), side_bytes_, Memory::device, "KV cache");
        values_ = Buffer(s.device(), side_bytes_, Memory::device, "KV cache");
        for (std::uint32_t row = 0; row < c.rows; ++row) at_.push_back(row);
        for (std::uint32_t position = 0; position < c.rows; ++position)
            for (std::uint32_t i = 0; i < model_.head_dim / 2; ++i) {
                const double angle = position * std::pow(10000.0, -2.0 * i / model_.head_dim);
                angles_.push_back(static_cast<float>(std::cos(angle)));
                angles_.push_back(static_cast<float>(std::sin(angle)));
            }
        positions_ = Operand(s, at_, {c.rows, 1, 1});
        table_ = Operand(s, angles_, {c.rows, model_.head_dim / 2, 2});
        s.wait();
    }

    Errors check(Stream& s, Data data) override {
        const auto q = numbers_.rows(case_.rows, model_.q_size(), data),
                   k = numbers_.rows(case_.rows, model_.kv_size(), data),
                   v = numbers_.rows(case_.rows, model_.kv_size(), data);
        q_ = Operand(s, q, {case_.rows, model_.heads, model_.head_dim});
        k_ = Operand(s, k, {case_.rows, model_.kv_heads, model_.head_dim});
        v_ = Operand(s, v, {case_.rows, model_.kv_heads, model_.head_dim});
        auto scratch = s.scope();
        std::vector<float> turned(q.size());
        s.download(rope(s), std::span(turned));
        s.wait();
        ErrorMeter meter;
        meter.count_not_finite(turned);
        const auto exact = turned_exactly(q, model_.heads);
        for (const std::uint32_t row : spread(case_.rows, 9))
            for (const std::uint32_t i : spread(model_.q_size(), 65)) {
                const std::size_t at = std::size_t{row} * model_.q_size() + i;
                meter.add(turned[at], exact.values[at], exact.magnitudes[at]);
            }
        check_stored(s, keys_, turned_exactly(k, model_.kv_heads), meter);
        check_stored(s, values_, {{v.begin(), v.end()}, std::vector<double>(v.size())}, meter);
        return meter.errors();
    }

    void run(Stream& s) override { rope(s); }

    Cost cost() const override {
        const double rows = case_.rows,
                     stored = 2.0 * model_.kv_heads *
                              static_cast<double>(row_bytes(*case_.kv, model_.head_dim));
        return {.bytes = rows * (2 * 4.0 * model_.q_size() + 2 * 4.0 * model_.kv_size() + stored),
                .flops = rows * 3.0 * (model_.q_size() + model_.kv_size())};
    }

private:
    // With what each may be off by as its magnitude.
    reference::Expected turned_exactly(const std::vector<float>& x, std::uint32_t heads) const {
        auto exact = reference::rotate(x, heads, model_.head_dim, at_, angles_);
        constexpr double roundings = 3 * 0x1p-24;  // two products and a sum
        for (double& magnitude : exact.magnitudes) magnitude *= roundings;
        return exact;
    }

    // Row r is in slot r of the cache.
    void check_stored(Stream& s, const Buffer& side, const reference::Expected& exact,
                      ErrorMeter& meter) const {
        KvBlocks stored{*case_.kv, model_.kv_heads, model_.head_dim};
        std::vector<std::uint32_t> words(side_bytes_ / 4);
        s.download({side.address(), {1, static_cast<std::uint32_t>(words.size()), 1}},
                   std::span(words));
        s.wait();
        stored.bytes.resize(side_bytes_);
        std::memcpy(stored.bytes.data(), words.data(), side_bytes_);
        const auto errors = reference::stored_errors(*case_.kv, exact);
        for (const std::uint32_t row : spread(case_.rows, 9))
            for (const std::uint32_t i : spread(model_.kv_size(), 65)) {
                const std::size_t at = std::size_t{row} * model_.kv_size() + i;
                meter.add(stored.element(row / ops::block_slots, i / model_.head_dim,
                                         row % ops::block_slots, i % model_.head_dim),
                          exact.values[at], errors[at]);
            }
    }

    Tensor rope(Stream& s) {
        const ops::KeysValues cache{.keys = {keys_.address(), {1, 1, 1}},
                                    .values = {values_.address(), {1, 1, 1}},
                                    .format = *case_.kv,
                                    .kv_heads = model_.kv_heads};
        return ops::rope(s, {q_}, {k_}, {v_}, model_.heads, positions_, positions_, table_, cache);
    }

    Case case_;
    const ModelShape& model_;
    std::uint64_t side_bytes_ = 0;  // of the keys, and of the values
    Buffer keys_, values_;
    std::vector<std::uint32_t> at_;  // the rows' positions and slots
    std::vector<float> angles_;
    Operand positions_, table_, q_, k_, v_;
    Numbers numbers_{10};
};

}  // namespace

std::unique_ptr<Work> make_attention(Stream& s, const Case& c) {
    return std::make_unique<AttentionWork>(s, c);
}

std::unique_ptr<Work> make_rope(Stream& s, const Case& c) {
    return std::make_unique<RopeWork>(s, c);
}

}  // namespace assay::bench
