#include "model/engine/engine.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>

#include "runtime/error.h"

namespace assay {

// Some of one work's new tokens, computed together with other pieces in one step.
struct Engine::Piece {
    std::size_t work;            // index
    std::uint32_t first, count;  // of its tokens
    bool final;                  // the last of its tokens are among them
};

namespace {

constexpr TokenId not_a_number = 0xffffffff;  // what ops::sample gives for a row with a NaN

bool holds_nan(std::span<const float> logits) {
    return std::ranges::any_of(logits, [](float x) { return std::isnan(x); });
}

}  // namespace

// What Mistral::logits() holds at its widest, each tensor rounded up.
std::uint64_t scratch_bytes(const Config& c, const EngineOptions& options,
                            const DeviceInfo& device) {
    const std::uint32_t chunk =
        options.prefill_chunk ? options.prefill_chunk : default_prefill_chunk(c, device);
    const std::uint64_t rows = std::min(chunk, options.context * options.sequences);
    const std::uint64_t heads = std::uint64_t{c.num_attention_heads} * c.head_dim,
                        kv = std::uint64_t{c.num_key_value_heads} * c.head_dim;
    const std::uint64_t attention =
        4 * rows * (c.hidden_size + 2 * heads + 2 * kv) +
        ops::attention_scratch_bytes(device, static_cast<std::uint32_t>(rows),
                                     c.num_attention_heads, c.head_dim, options.context);
    // Routed rows go through as rows of their own, with a few words each to sort them. (A model that
    // stores gate and up in different formats takes two more rows each; the arena then grows.)
    const std::uint64_t experts = c.num_local_experts,
                        routed = rows * std::max(c.num_experts_per_tok, 1u);
    const std::uint64_t routing = 4 * (rows * experts + 6 * routed + 3 * experts);
    const std::uint64_t ffn = 4 * rows * c.hidden_size + 4 * routed * c.intermediate_size +
                              (experts != 0 ? 4 * routed * c.hidden_size + routing : 0);
    const std::uint64_t last =
        4ull * options.sequences * (2ull * c.vocab_size + 2ull * c.hidden_size);
    constexpr std::uint64_t rounding = 32 * 256;
    return 4 * rows * c.hidden_size + std::max(attention, ffn) + last + rounding;
}

// With experts a row meets only some of the weights, so more rows keep a GPU busy.
std::uint32_t default_prefill_chunk(const Config& config, const DeviceInfo& device) {
    if (device.is_cpu) return 256;
    return config.num_local_experts == 0 ? 1024 : 2048;
}

Sequence::~Sequence() { engine_->cache_.shrink(blocks_, 0); }

void Sequence::truncate(std::uint32_t length) {
    if (length >= tokens_.size()) return;
    tokens_.resize(length);
    engine_->cache_.shrink(blocks_, length);
}

Engine::Engine(Device& device, const Mistral& model, const EngineOptions& options)
    : device_(device),
      model_(model),
      options_(options),
      cache_(device, model.config(), options.kv,
             options.sequences * KvCache::blocks_for(options.context)),
      stream_(device, {.profile = options.profile}) {
    assert(options.context <= model.weights().angles.rows());
    if (options_.prefill_chunk == 0)
        options_.prefill_chunk = default_prefill_chunk(model.config(), device.info());
    stream_.reserve(scratch_bytes(model.config(), options_, device.info()));
}

std::vector<Outcome> Engine::step(std::span<const Work> work) {
    std::vector<std::uint32_t> lengths;
    for (const Work& w : work) lengths.push_back(w.sequence->length());
    try {
        return compute(work);
    } catch (...) {
        stream_.abandon();
        for (std::size_t i = 0; i < work.size(); ++i) work[i].sequence->truncate(lengths[i]);
        throw;
    }
}

std::vector<Outcome> Engine::compute(std::span<const Work> work) {
    for (const Work& w : work)
        if (w.sequence->length() + w.tokens.size() > options_.context)
            throw Error("context: " + std::to_string(w.sequence->length() + w.tokens.size()) +
                        " tokens asked for, " + std::to_string(options_.context) + " fit");
    for (const Work& w : work)
        for (TokenId token : w.tokens)
            if (token >= model_.config().vocab_size)
                throw Error("token " + std::to_string(token) + ": the vocabulary has " +
                            std::to_string(model_.config().vocab_size));

    std::vector<Outcome> outcomes(work.size());
    std::vector<Piece> pieces;
    std::uint32_t room = options_.prefill_chunk;
    for (std::size_t i = 0; i < work.size(); ++i) {
        const auto total = static_cast<std::uint32_t>(work[i].tokens.size());
        assert(total > 0);
        for (std::uint32_t first = 0; first < total;) {
            const std::uint32_t count = std::min(room, total - first);
            pieces.push_back({i, first, count, first + count == total});
            first += count;
            room -= count;
            if (room > 0) continue;
            run(pieces, work, outcomes);
            pieces.clear();
            room = options_.prefill_chunk;
        }
    }
    if (!pieces.empty()) run(pieces, work, outcomes);
    return outcomes;
}

void Engine::run(std::span<const Piece> pieces, std::span<const Work> work,
                 std::vector<Outcome>& outcomes) {
    const std::uint32_t vocabulary = model_.config().vocab_size,
                        seen_words = (vocabulary + 31) / 32;
    std::vector<std::uint32_t> tokens, positions, slots, wanted, tables, seen;
    std::vector<ops::QueryRun> runs;
    std::vector<shader::SampleRow> how;
    std::uint32_t most_keys = 0, table_stride = 0;

    for (const Piece& piece : pieces) {
        const Work& w = work[piece.work];
        Sequence& sequence = *w.sequence;
        const std::uint32_t start = sequence.length();
        cache_.grow(sequence.blocks_, start + piece.count);
        runs.push_back({static_cast<std::uint32_t>(tokens.size()), piece.count, start});
        for (std::uint32_t i = 0; i < piece.count; ++i) {
            const std::uint32_t position = start + i;
            if (w.logits == Work::all ||
                (i + 1 == piece.count && piece.final && (w.sample || w.logits == Work::last)))
                wanted.push_back(static_cast<std::uint32_t>(tokens.size()));
            tokens.push_back(w.tokens[piece.first + i]);
            positions.push_back(position);
            slots.push_back(sequence.blocks_[position / ops::block_slots] * ops::block_slots +
                            position % ops::block_slots);
            sequence.tokens_.push_back(tokens.back());
        }
        most_keys = std::max(most_keys, start + piece.count);
        table_stride = std::max(table_stride, static_cast<std::uint32_t>(sequence.blocks_.size()));
    }
    for (const Piece& piece : pieces) {
        const auto& blocks = work[piece.work].sequence->blocks_;
        tables.insert(tables.end(), blocks.begin(), blocks.end());
        tables.resize(tables.size() + table_stride - blocks.size());
    }

    auto scratch = stream_.scope();
    const Config& config = model_.config();
    const auto tiles =
        ops::make_tiles(device_, runs, config.num_attention_heads / config.num_key_value_heads);
    std::uint32_t tile_tokens = 0;
    for (auto& tile : tiles) tile_tokens = std::max(tile_tokens, tile.tokens);
    auto upload = [&](const std::vector<std::uint32_t>& values) {
        return stream_.upload(std::span(values));
    };
    Tensor block_tables = upload(tables);
    block_tables.shape = {static_cast<std::uint32_t>(pieces.size()), table_stride, 1};
    const std::span tile_words(reinterpret_cast<const std::uint32_t*>(tiles.data()),
                               tiles.size() * sizeof(tiles[0]) / 4);
    const Batch batch{.tokens = upload(tokens),
                      .positions = upload(positions),
                      .slots = upload(slots),
                      .wanted = upload(wanted),
                      .attended = {.block_tables = block_tables,
                                   .tiles = stream_.upload(tile_words),
                                   .tile_count = static_cast<std::uint32_t>(tiles.size()),
                                   .tile_tokens = tile_tokens,
                                   .most_keys = most_keys},
                      .observer = options_.observer};
    const Tensor logits = model_.logits(stream_, batch, cache_);

    // What the host asked for. Rows of `logits` follow the pieces in order.
    std::vector<std::uint32_t> sampled_rows;
    std::vector<std::size_t> sampled_work;
    std::uint32_t row = 0;
    for (const Piece& piece : pieces) {
        const Work& w = work[piece.work];
        const std::uint32_t rows = w.logits == Work::all ? piece.count
                                   : piece.final && (w.sample || w.logits == Work::last) ? 1
                                                                                         : 0;
        if (rows && w.logits != Work::nothing) {
            std::vector<float>& to = outcomes[piece.work].logits;
            if (to.empty()) to.resize((w.logits == Work::all ? w.tokens.size() : 1) * vocabulary);
            const std::size_t first = w.logits == Work::all ? piece.first : 0;
            const Tensor from{logits.address + std::uint64_t{row} * vocabulary * sizeof(float),
                              {rows, vocabulary, 1}};
            stream_.download(
                from, std::span(to).subspan(first * vocabulary, std::size_t{rows} * vocabulary));
        }
        if (piece.final && w.sample) {
            sampled_rows.push_back(row + rows - 1);
            sampled_work.push_back(piece.work);
            how.push_back({.temperature = w.how.temperature,
                           .top_p = w.how.top_p,
                           .min_p = w.how.min_p,
                           .repetition_penalty = w.how.repetition_penalty,
                           .top_k = w.how.top_k,
                           .uniform_number = w.random});
            std::vector<std::uint32_t> bits(seen_words);
            for (TokenId token : w.sequence->tokens_) bits[token / 32] |= 1u << token % 32;
            seen.insert(seen.end(), bits.begin(), bits.end());
        }
        row += rows;
    }
    std::vector<std::uint32_t> chosen(sampled_rows.size());
    if (!chosen.empty()) {
        const Tensor rows = ops::gather(stream_, logits, upload(sampled_rows));
        const std::span how_words(reinterpret_cast<const std::uint32_t*>(how.data()),
                                  how.size() * sizeof(how[0]) / 4);
        stream_.download(ops::sample(stream_, rows, stream_.upload(how_words), upload(seen)),
                         std::span(chosen));
    }
    stream_.wait();

    bool broken = std::ranges::count(chosen, not_a_number) > 0;
    for (const Piece& piece : pieces)
        broken = broken || (piece.final && holds_nan(outcomes[piece.work].logits));
    if (broken)
        throw Error(find_broken_weight(stream_, model_.weights())
                        .value_or("the model's activations overflow: its logits are NaN"));
    for (std::size_t i = 0; i < chosen.size(); ++i) outcomes[sampled_work[i]].token = chosen[i];
}

}  // namespace assay
