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

// Every slot for experts is empty again: what a step that failed has listed may never have been
// copied.
void forget_experts(Stream& s, const Weights& weights) noexcept {
    try {
        for (const ops::ExpertPool& pool : weights.pools)
            for (const Tensor& table : {pool.slot_of, pool.owner}) {
                const std::vector<std::uint32_t> empty(table.size(), shader::no_slot);
                Tensor from = s.upload(std::span(empty));
                from.shape = table.shape;
                s.copy(from, table);
            }
        if (!weights.pools.empty()) s.wait();
    } catch (...) {  // a device that is lost takes no further step either
    }
}

bool holds_nan(std::span<const float> logits) {
    return std::ranges::any_of(logits, [](float x) { return std::isnan(x); });
}

}  // namespace

// What Mistral::logits() holds at its widest, each tensor rounded up.
std::uint64_t scratch_bytes(const Config& c, const EngineOptions& options, const DeviceInfo& device,
                            const Share& share) {
    const std::uint32_t chunk =
        options.prefill_chunk ? options.prefill_chunk : default_prefill_chunk(c, device);
    const std::uint64_t rows = std::min(chunk, options.context * options.sequences);
    const std::uint64_t heads = std::uint64_t{c.num_attention_heads} * c.head_dim,
                        kv = std::uint64_t{c.num_key_value_heads} * c.head_dim;
    const std::uint64_t attention =
        4 * rows * (c.hidden_size + 2 * heads + 2 * kv) +
        ops::attention_scratch_bytes(device, static_cast<std::uint32_t>(rows),
                                     c.num_attention_heads, c.head_dim, options.context);
    // Routed rows go through as rows of their own, with a few words each to sort them. (A model
    // that stores gate and up in different formats takes two more rows each; the arena then grows.)
    const std::uint64_t experts = c.num_local_experts,
                        routed = rows * std::max(c.num_experts_per_tok, 1u);
    const std::uint64_t routing = 4 * (rows * experts + 6 * routed + 3 * experts);
    const std::uint64_t ffn = 4 * rows * c.hidden_size + 4 * routed * c.intermediate_size +
                              (experts != 0 ? 4 * routed * c.hidden_size + routing : 0);
    const std::uint64_t last =
        share.last(c) ? 4ull * options.sequences * (2ull * c.vocab_size + 2ull * c.hidden_size) : 0;
    constexpr std::uint64_t rounding = 32 * 256;
    return 4 * rows * c.hidden_size + std::max(attention, ffn) + last + rounding;
}

// With experts a row meets only some of the weights, so more rows keep a GPU busy.
std::uint32_t default_prefill_chunk(const Config& config, const DeviceInfo& device) {
    if (device.is_cpu) return 256;
    return config.num_local_experts == 0 ? 1024 : 2048;
}

Sequence::~Sequence() { engine_->blocks_.shrink(blocks_, 0); }

void Sequence::truncate(std::uint32_t length) {
    if (length >= tokens_.size()) return;
    tokens_.resize(length);
    engine_->blocks_.shrink(blocks_, length);
}

Engine::StageState::StageState(const Stage& stage, const EngineOptions& options,
                               std::uint32_t blocks)
    : device(stage.device),
      model(stage.model),
      cache(device, model.config(), options.kv, blocks, stage.share),
      stream(device, {.profile = options.profile}) {
    assert(options.context <= model.weights().angles.rows());
    stream.reserve(scratch_bytes(model.config(), options, device.info(), stage.share));
}

Engine::Engine(const std::vector<Stage>& stages, const EngineOptions& options)
    : options_(options), blocks_(options.sequences * BlockPool::blocks_for(options.context)) {
    if (options_.prefill_chunk == 0) {
        options_.prefill_chunk = UINT32_MAX;
        for (const Stage& stage : stages)
            options_.prefill_chunk =
                std::min(options_.prefill_chunk,
                         default_prefill_chunk(stage.model.config(), stage.device.info()));
    }
    for (const Stage& stage : stages)
        stages_.push_back(std::make_unique<StageState>(
            stage, options_, options.sequences * BlockPool::blocks_for(options.context)));
}

std::vector<Outcome> Engine::step(std::span<const Work> work) {
    std::vector<std::uint32_t> lengths;
    for (const Work& w : work) lengths.push_back(w.sequence->length());
    try {
        return compute(work);
    } catch (...) {
        for (auto& stage : stages_) {
            stage->stream.abandon();
            forget_experts(stage->stream, stage->model.weights());
        }
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
            if (token >= config().vocab_size)
                throw Error("token " + std::to_string(token) + ": the vocabulary has " +
                            std::to_string(config().vocab_size));

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

namespace {

// What the host says of a step, for every stage.
struct StepInput {
    std::vector<std::uint32_t> tokens, positions, slots, wanted, tables;
    std::uint32_t table_stride = 0, most_keys = 0;
    std::vector<ops::QueryRun> runs;
};

Tensor upload(Stream& s, const std::vector<std::uint32_t>& values) {
    return s.upload(std::span(values));
}

template <class T>
Tensor upload_words(Stream& s, const std::vector<T>& values) {
    return s.upload(std::span(reinterpret_cast<const std::uint32_t*>(values.data()),
                              values.size() * sizeof(T) / sizeof(std::uint32_t)));
}

Batch upload_batch(Stream& s, const StepInput& input, const Config& config,
                   ForwardObserver* observer) {
    const auto tiles = ops::make_tiles(s.device(), input.runs,
                                       config.num_attention_heads / config.num_key_value_heads);
    std::uint32_t tile_tokens = 0;
    for (auto& tile : tiles) tile_tokens = std::max(tile_tokens, tile.tokens);
    Tensor block_tables = upload(s, input.tables);
    block_tables.shape = {static_cast<std::uint32_t>(input.runs.size()), input.table_stride, 1};
    return {.tokens = upload(s, input.tokens),
            .positions = upload(s, input.positions),
            .slots = upload(s, input.slots),
            .wanted = upload(s, input.wanted),
            .attended = {.block_tables = block_tables,
                         .tiles = upload_words(s, tiles),
                         .tile_count = static_cast<std::uint32_t>(tiles.size()),
                         .tile_tokens = tile_tokens,
                         .most_keys = input.most_keys},
            .observer = observer};
}

// What came out of the stage before, as scratch, which layers may change.
Tensor upload_rows(Stream& s, const std::vector<float>& x, std::uint32_t row_size) {
    Tensor to = s.scratch(static_cast<std::uint32_t>(x.size() / row_size), row_size);
    Tensor from = s.upload(std::span<const float>(x));
    from.shape = to.shape;
    s.copy(from, to);
    return to;
}

}  // namespace

// The residual stream behind a stage's layers: (T, hidden_size). `handed_on` is what the stage
// before gave; empty for the first.
Tensor Engine::run_layers(StageState& stage, const Batch& batch,
                          const std::vector<float>& handed_on) {
    const Tensor x = handed_on.empty() ? stage.model.embed(stage.stream, batch)
                                       : upload_rows(stage.stream, handed_on, config().hidden_size);
    stage.model.run_layers(stage.stream, x, batch, stage.cache);
    return x;
}

void Engine::run(std::span<const Piece> pieces, std::span<const Work> work,
                 std::vector<Outcome>& outcomes) {
    const std::uint32_t vocabulary = config().vocab_size, seen_words = (vocabulary + 31) / 32;
    StepInput input;
    for (const Piece& piece : pieces) {
        const Work& w = work[piece.work];
        Sequence& sequence = *w.sequence;
        const std::uint32_t start = sequence.length();
        blocks_.grow(sequence.blocks_, start + piece.count);
        input.runs.push_back({static_cast<std::uint32_t>(input.tokens.size()), piece.count, start});
        for (std::uint32_t i = 0; i < piece.count; ++i) {
            const std::uint32_t position = start + i;
            if (w.logits == Work::all ||
                (i + 1 == piece.count && piece.final && (w.sample || w.logits == Work::last)))
                input.wanted.push_back(static_cast<std::uint32_t>(input.tokens.size()));
            input.tokens.push_back(w.tokens[piece.first + i]);
            input.positions.push_back(position);
            input.slots.push_back(sequence.blocks_[position / ops::block_slots] * ops::block_slots +
                                  position % ops::block_slots);
            sequence.tokens_.push_back(input.tokens.back());
        }
        input.most_keys = std::max(input.most_keys, start + piece.count);
        input.table_stride =
            std::max(input.table_stride, static_cast<std::uint32_t>(sequence.blocks_.size()));
    }
    for (const Piece& piece : pieces) {
        const auto& blocks = work[piece.work].sequence->blocks_;
        input.tables.insert(input.tables.end(), blocks.begin(), blocks.end());
        input.tables.resize(input.tables.size() + input.table_stride - blocks.size());
    }

    // The residual stream goes from device to device by way of the host.
    std::vector<float> handed_on;
    for (std::size_t i = 0; i + 1 < stages_.size(); ++i) {
        StageState& stage = *stages_[i];
        auto scratch = stage.stream.scope();
        const Batch batch = upload_batch(stage.stream, input, config(), options_.observer);
        const Tensor x = run_layers(stage, batch, handed_on);
        handed_on.resize(x.size());
        stage.stream.download(x, std::span(handed_on));
        stage.stream.wait();
    }
    StageState& last = *stages_.back();
    Stream& s = last.stream;
    auto scratch = s.scope();
    const Batch batch = upload_batch(s, input, config(), options_.observer);
    const Tensor logits = last.model.logits(s, run_layers(last, batch, handed_on), batch);

    // What the host asked for. Rows of `logits` follow the pieces in order.
    std::vector<shader::SampleRow> how;
    std::vector<std::uint32_t> seen;
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
            s.download(from,
                       std::span(to).subspan(first * vocabulary, std::size_t{rows} * vocabulary));
        }
        if (piece.final && w.sample) {
            sampled_work.push_back(piece.work);
            how.push_back({.temperature = w.how.temperature,
                           .top_p = w.how.top_p,
                           .min_p = w.how.min_p,
                           .repetition_penalty = w.how.repetition_penalty,
                           .top_k = w.how.top_k,
                           .uniform_number = w.random,
                           .row = row + rows - 1,
                           .slot = static_cast<std::uint32_t>(how.size()),
                           .first_guess = 0,
                           .guesses = 0,
                           .keep = 0});
            std::vector<std::uint32_t> bits(seen_words);
            for (TokenId token : w.sequence->tokens_) bits[token / 32] |= 1u << token % 32;
            seen.insert(seen.end(), bits.begin(), bits.end());
        }
        row += rows;
    }
    std::vector<std::uint32_t> chosen(how.size());
    if (!chosen.empty()) {
        Tensor slots = upload(s, seen);
        slots.shape = {static_cast<std::uint32_t>(how.size()), seen_words, 1};
        s.download(ops::sample(s, logits, upload_words(s, how), batch.tokens, slots,
                               s.scratch(slots.rows(), 1)),
                   std::span(chosen));
    }
    s.wait();

    bool broken = std::ranges::count(chosen, shader::no_token) > 0;
    for (const Piece& piece : pieces)
        broken = broken || (piece.final && holds_nan(outcomes[piece.work].logits));
    if (broken) throw_broken();
    for (std::size_t i = 0; i < chosen.size(); ++i) outcomes[sampled_work[i]].token = chosen[i];
}

void Engine::throw_broken() {
    for (auto& stage : stages_)
        if (const auto broken = find_broken_weight(stage->stream, stage->model.weights()))
            throw Error(*broken);
    throw Error("the model's activations overflow: its logits are NaN");
}

ExpertUse Engine::expert_use() {
    ExpertUse all;
    for (auto& stage : stages_) {
        const ExpertUse use = assay::expert_use(stage->stream, stage->model.weights());
        all.hits += use.hits;
        all.misses += use.misses;
    }
    return all;
}

}  // namespace assay
