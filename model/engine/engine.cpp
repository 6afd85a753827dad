#include "model/engine/engine.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>

#include "runtime/error.h"

namespace assay {

// Some of one work's new tokens, computed together with other pieces in one pass.
struct Engine::Piece {
    std::size_t work;            // index
    std::uint32_t first, count;  // of its tokens
};

// A step that is under way.
struct Engine::Step {
    struct Chooser {
        std::size_t work;  // index
        Sequence* sequence;
        std::uint32_t position;  // of the token chosen
        std::ptrdiff_t asked;    // tokens whose logits come with it
        bool sampled;
    };
    // What the host gets of one pass.
    struct Results {
        Ticket ticket{};
        std::vector<Chooser> choosers;  // in the order of the rows
        std::vector<TokenId> chosen;    // of those that are sampled
        std::vector<float> asked;
    };
    struct Before {
        Sequence* sequence;
        std::uint32_t length;
    };
    std::vector<Outcome> outcomes;  // by work
    std::deque<Results> passes;
    std::vector<Before> before;
};

// What the host says of a pass, and wants of it.
struct Engine::Pass {
    std::vector<TokenId> tokens;
    std::vector<std::uint32_t> positions, slots, wanted, tables;
    std::uint32_t table_stride = 0, most_keys = 0;
    std::vector<ops::QueryRun> runs;
    bool names_chosen = false;  // some tokens are those chosen before

    // Rows of logits follow `wanted`.
    std::vector<shader::SampleRow> how;
    std::vector<shader::LogitPlace> asked;
    // Tokens that sequences now hold, among those of the pass and among `earlier` ones; of the
    // cleared slots nothing was marked before.
    std::vector<std::uint32_t> cleared;
    std::vector<shader::SeenMark> marks, earlier_marks;
    std::vector<TokenId> earlier;
    struct Download {
        std::uint32_t first_row, rows;
        std::span<float> to;
    };
    std::vector<Download> logits;
    Step::Results* results = nullptr;

    std::uint32_t rows() const { return static_cast<std::uint32_t>(tokens.size()); }
};

// What the device keeps to choose tokens by, each row for one sequence.
struct Engine::ChoiceState {
    ChoiceState(Device& device, std::uint32_t sequences, std::uint32_t vocabulary)
        : words((vocabulary + 31) / 32),
          seen_memory(device, 4ull * sequences * words, Memory::device, "seen tokens"),
          chosen_memory(device, 4ull * sequences, Memory::device, "chosen tokens"),
          seen{seen_memory.address(), {sequences, words, 1}},
          chosen{chosen_memory.address(), {sequences, 1, 1}} {
        for (std::uint32_t slot = sequences; slot > 0; --slot) free.push_back(slot - 1);
    }
    std::uint32_t take() {
        if (free.empty())
            throw Error("tokens are chosen for more than " + std::to_string(chosen.rows()) +
                        " sequences at a time");
        const std::uint32_t slot = free.back();
        free.pop_back();
        return slot;
    }

    std::uint32_t words;  // of a row of `seen`
    Buffer seen_memory, chosen_memory;
    Tensor seen;    // u32: a bit for each token that a sequence holds
    Tensor chosen;  // u32: the token chosen last
    std::vector<std::uint32_t> free;
};

namespace {

constexpr std::uint32_t no_slot = BlockPool::no_block;

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

Engine::StageState::StageState(const Stage& stage, const EngineOptions& options)
    : device(stage.device),
      model(stage.model),
      cache(device, model.config(), options.kv, options.blocks(), stage.share),
      stream(device, {.profile = options.profile, .batch_invariant = options.batch_invariant}) {
    assert(options.context <= model.weights().angles.rows());
    stream.reserve(scratch_bytes(model.config(), options, device.info(), stage.share));
}

Engine::Engine(const std::vector<Stage>& stages, const EngineOptions& options)
    : options_(options), blocks_(options.blocks()) {
    if (options_.prefill_chunk == 0) {
        options_.prefill_chunk = UINT32_MAX;
        for (const Stage& stage : stages)
            options_.prefill_chunk =
                std::min(options_.prefill_chunk,
                         default_prefill_chunk(stage.model.config(), stage.device.info()));
    }
    for (const Stage& stage : stages)
        stages_.push_back(std::make_unique<StageState>(stage, options_));
    choices_ = std::make_unique<ChoiceState>(stages_.back()->device, options_.sequences,
                                             config().vocab_size);
}

Engine::~Engine() {
    for (auto& stage : stages_) stage->stream.abandon();
}

std::vector<Outcome> Engine::step(std::span<const Work> work) {
    assert(steps_.empty());
    submit(work);
    return collect();
}

void Engine::submit(std::span<const Work> work) {
    check(work);
    auto step = std::make_unique<Step>();
    for (const Work& w : work) step->before.push_back({w.sequence, w.sequence->length()});
    steps_.push_back(std::move(step));
    try {
        record(work, *steps_.back());
    } catch (...) {
        undo_all();
        throw;
    }
}

std::vector<Outcome> Engine::collect() {
    try {
        Step& step = *steps_.front();
        Stream& s = stages_.back()->stream;
        for (const auto& pass : step.passes) s.wait(pass.ticket);
        auto outcomes = outcomes_of(step);
        steps_.pop_front();
        return outcomes;
    } catch (...) {
        undo_all();
        throw;
    }
}

void Engine::check(std::span<const Work> work) const {
    for (const Work& w : work)
        if (w.sequence->length() + w.tokens.size() > options_.context)
            throw Error("context: " + std::to_string(w.sequence->length() + w.tokens.size()) +
                        " tokens asked for, " + std::to_string(options_.context) + " fit");
    for (const Work& w : work)
        for (TokenId token : w.tokens)
            if (token >= config().vocab_size && token != chosen_before)
                throw Error("token " + std::to_string(token) + ": the vocabulary has " +
                            std::to_string(config().vocab_size));
}

void Engine::record(std::span<const Work> work, Step& step) {
    step.outcomes.resize(work.size());
    std::vector<Piece> pieces;
    std::uint32_t room = options_.prefill_chunk;
    const auto flush = [&] {
        if (!pieces.empty()) run(pieces, work, step);
        pieces.clear();
        room = options_.prefill_chunk;
    };
    for (std::size_t i = 0; i < work.size(); ++i) {
        const auto total = static_cast<std::uint32_t>(work[i].tokens.size());
        assert(total > work[i].guesses);
        assert(work[i].guesses == 0 || total <= options_.prefill_chunk);
        if (work[i].guesses > 0 && total > room) flush();  // they stay together
        for (std::uint32_t first = 0; first < total;) {
            const std::uint32_t count = std::min(room, total - first);
            pieces.push_back({i, first, count});
            first += count;
            room -= count;
            if (room == 0) flush();
        }
    }
    flush();
}

namespace {

template <class T>
Tensor upload_words(Stream& s, const std::vector<T>& values) {
    return s.upload(std::span(reinterpret_cast<const std::uint32_t*>(values.data()),
                              values.size() * sizeof(T) / sizeof(std::uint32_t)));
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

// Finds room in the cache for the new tokens of a piece, and adds them to its sequence.
void Engine::extend(const Piece& piece, const Work& work, Pass& pass) {
    Sequence& sequence = *work.sequence;
    const std::uint32_t start = sequence.length();
    if (start % ops::block_slots != 0 && blocks_.shared(sequence.blocks_.back())) {
        const std::uint32_t copy = blocks_.take();
        copy_block(sequence.blocks_.back(), copy);
        blocks_.release(sequence.blocks_.back());
        sequence.blocks_.back() = copy;
    }
    while (sequence.blocks_.size() < BlockPool::blocks_for(start + piece.count))
        sequence.blocks_.push_back(blocks_.take());
    pass.runs.push_back({pass.rows(), piece.count, start});
    for (std::uint32_t i = 0; i < piece.count; ++i) {
        const std::uint32_t position = start + i;
        const TokenId token = work.tokens[piece.first + i];
        pass.names_chosen |= token == chosen_before;
        pass.tokens.push_back(token == chosen_before ? shader::chosen_flag | sequence.slot_
                                                     : token);
        pass.positions.push_back(position);
        pass.slots.push_back(sequence.blocks_[position / ops::block_slots] * ops::block_slots +
                             position % ops::block_slots);
        sequence.tokens_.push_back(token);
    }
    sequence.describe(start);
    pass.most_keys = std::max(pass.most_keys, start + piece.count);
    pass.table_stride =
        std::max(pass.table_stride, static_cast<std::uint32_t>(sequence.blocks_.size()));
}

// Asks for what is wanted of a piece that is the last in the pass so far.
void Engine::want(const Piece& piece, const Work& work, Pass& pass, Outcome& outcome) {
    const auto total = static_cast<std::uint32_t>(work.tokens.size());
    const std::uint32_t certain = total - work.guesses;
    const auto [first_row, count, start] = pass.runs.back();
    const auto first_wanted = static_cast<std::uint32_t>(pass.wanted.size());
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t index = piece.first + i, next_position = start + i + 1;
        const bool chooses = (work.sample || !work.asked.empty()) && index + 1 >= certain;
        if (!chooses && work.logits != Work::all &&
            (work.logits == Work::nothing || index + 1 < total))
            continue;
        const auto row = static_cast<std::uint32_t>(pass.wanted.size());
        pass.wanted.push_back(first_row + i);
        if (!chooses) continue;
        if (work.sample) {
            Draw draw = work.draw;
            draw.position = next_position;
            pass.how.push_back({.temperature = work.how.temperature,
                                .top_p = work.how.top_p,
                                .min_p = work.how.min_p,
                                .repetition_penalty = work.how.repetition_penalty,
                                .top_k = work.how.top_k,
                                .uniform_number = uniform(draw),
                                .row = row,
                                .slot = work.sequence->slot_,
                                .first_guess = first_row + certain - piece.first,
                                .guesses = index + 1 - certain,
                                .keep = work.guesses == 0});
        }
        for (TokenId token : work.asked) pass.asked.push_back({row, token});
        pass.results->choosers.push_back(
            {piece.work, work.sequence, next_position, std::ssize(work.asked), work.sample});
    }
    if (work.sample && work.how.repetition_penalty != 1 && piece.first < certain &&
        certain <= piece.first + count)
        mark(*work.sequence, start + certain - piece.first, pass);

    const auto wanted = static_cast<std::uint32_t>(pass.wanted.size()) - first_wanted;
    if (work.logits == Work::nothing || wanted == 0) return;
    const std::uint32_t rows = work.logits == Work::all ? count : 1;
    const std::size_t vocabulary = config().vocab_size;
    if (work.logits == Work::last && piece.first + count < total) return;
    outcome.logits.resize((work.logits == Work::all ? total : 1) * vocabulary);
    const std::size_t at = work.logits == Work::all ? piece.first : 0;
    pass.logits.push_back({first_wanted + wanted - rows, rows,
                           std::span(outcome.logits).subspan(at * vocabulary, rows * vocabulary)});
}

// Has the device mark the tokens of a sequence as seen, up to a position in the pass.
void Engine::mark(Sequence& sequence, std::uint32_t end, Pass& pass) {
    const auto& run = pass.runs.back();
    if (sequence.marked_ == 0) pass.cleared.push_back(sequence.slot_);
    for (std::uint32_t p = sequence.marked_; p < std::min(end, run.first_position); ++p) {
        pass.earlier_marks.push_back(
            {static_cast<std::uint32_t>(pass.earlier.size()), sequence.slot_});
        pass.earlier.push_back(sequence.tokens_[p]);
    }
    for (std::uint32_t p = std::max(sequence.marked_, run.first_position); p < end; ++p)
        pass.marks.push_back({run.first_row + p - run.first_position, sequence.slot_});
    sequence.marked_ = end;
}

// The residual stream behind a stage's layers: (T, hidden_size). `handed_on` is what the stage
// before gave; empty for the first.
Tensor Engine::run_layers(StageState& stage, const Batch& batch,
                          const std::vector<float>& handed_on) {
    const Tensor x = handed_on.empty() ? stage.model.embed(stage.stream, batch)
                                       : upload_rows(stage.stream, handed_on, config().hidden_size);
    stage.model.run_layers(stage.stream, x, batch, stage.cache);
    return x;
}

void Engine::run(std::span<const Piece> pieces, std::span<const Work> work, Step& step) {
    Pass pass;
    pass.results = &step.passes.emplace_back();
    for (const Piece& piece : pieces) {
        const Work& w = work[piece.work];
        if (w.sample && w.sequence->slot_ == no_slot) w.sequence->slot_ = choices_->take();
        extend(piece, w, pass);
        want(piece, w, pass, step.outcomes[piece.work]);
    }
    for (const Piece& piece : pieces) {
        const auto& blocks = work[piece.work].sequence->blocks_;
        pass.tables.insert(pass.tables.end(), blocks.begin(), blocks.end());
        pass.tables.resize(pass.tables.size() + pass.table_stride - blocks.size());
    }

    // The residual stream goes from device to device by way of the host.
    std::vector<float> handed_on;
    for (std::size_t i = 0; i + 1 < stages_.size(); ++i) {
        StageState& stage = *stages_[i];
        auto scratch = stage.stream.scope();
        const Batch batch = upload(stage.stream, pass);
        const Tensor x = run_layers(stage, batch, handed_on);
        handed_on.resize(x.size());
        stage.stream.download(x, std::span(handed_on));
        stage.stream.wait();
    }
    StageState& last = *stages_.back();
    Stream& s = last.stream;
    auto scratch = s.scope();
    const Batch batch = upload(s, pass);
    const Tensor logits = last.model.logits(s, run_layers(last, batch, handed_on), batch);
    for (const auto& [first_row, rows, to] : pass.logits)
        s.download(logits.slice(first_row, rows), to);
    choose(s, logits, batch.tokens, pass);
    pass.results->ticket = s.end_step();
}

Batch Engine::upload(Stream& s, const Pass& pass) {
    const auto tiles = ops::make_tiles(s.device(), pass.runs,
                                       config().num_attention_heads / config().num_key_value_heads);
    std::uint32_t tile_tokens = 0;
    for (auto& tile : tiles) tile_tokens = std::max(tile_tokens, tile.tokens);
    Tensor block_tables = upload_words(s, pass.tables);
    block_tables.shape = {static_cast<std::uint32_t>(pass.runs.size()), pass.table_stride, 1};
    Tensor tokens = upload_words(s, pass.tokens);
    if (pass.names_chosen) tokens = ops::resolve_tokens(s, tokens, choices_->chosen);
    return {.tokens = tokens,
            .positions = upload_words(s, pass.positions),
            .slots = upload_words(s, pass.slots),
            .wanted = upload_words(s, pass.wanted),
            .attended = {.block_tables = block_tables,
                         .tiles = upload_words(s, tiles),
                         .tile_count = static_cast<std::uint32_t>(tiles.size()),
                         .single_tiles = static_cast<std::uint32_t>(
                             std::ranges::count(tiles, 1u, &shader::QueryTile::tokens)),
                         .tile_tokens = tile_tokens,
                         .most_keys = pass.most_keys},
            .observer = options_.observer};
}

// Chooses tokens from the logits, and fetches them with the logits that were asked for.
void Engine::choose(Stream& s, const Tensor& logits, const Tensor& tokens, const Pass& pass) {
    Step::Results& results = *pass.results;
    if (!pass.asked.empty()) {
        results.asked.resize(pass.asked.size());
        s.download(ops::pick(s, logits, upload_words(s, pass.asked)), std::span(results.asked));
    }
    if (pass.how.empty()) return;
    if (!pass.cleared.empty()) {
        const Tensor none = upload_words(s, std::vector<std::uint32_t>(choices_->seen.row_size()));
        for (std::uint32_t slot : pass.cleared)
            s.copy({none.address, {1, none.rows(), 1}}, choices_->seen.slice(slot, 1));
    }
    if (!pass.marks.empty()) ops::mark_seen(s, tokens, upload_words(s, pass.marks), choices_->seen);
    if (!pass.earlier.empty())
        ops::mark_seen(s, upload_words(s, pass.earlier), upload_words(s, pass.earlier_marks),
                       choices_->seen);
    results.chosen.resize(pass.how.size());
    s.download(
        ops::sample(s, logits, upload_words(s, pass.how), tokens, choices_->seen, choices_->chosen),
        std::span(results.chosen));
}

// What came of a step that the device is done with.
std::vector<Outcome> Engine::outcomes_of(Step& step) {
    bool broken = false;
    for (const Step::Results& pass : step.passes) {
        auto chosen = pass.chosen.begin();
        auto asked = pass.asked.begin();
        for (const Step::Chooser& chooser : pass.choosers) {
            Outcome& outcome = step.outcomes[chooser.work];
            outcome.asked.insert(outcome.asked.end(), asked, asked + chooser.asked);
            asked += chooser.asked;
            if (!chooser.sampled) continue;
            const TokenId token = *chosen++;
            broken |= token == shader::no_token;
            outcome.tokens.push_back(token);
            if (chooser.sequence) chooser.sequence->learn(chooser.position, token);
        }
    }
    for (const Outcome& outcome : step.outcomes)
        broken |= holds_nan(outcome.logits) || holds_nan(outcome.asked);
    if (broken) throw_broken();
    return std::move(step.outcomes);
}

// Every sequence is as before the steps under way.
void Engine::undo_all() noexcept {
    for (auto& stage : stages_) {
        stage->stream.abandon();
        forget_experts(stage->stream, stage->model.weights());
    }
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
        for (const auto& [sequence, length] : (*step)->before)
            if (sequence) sequence->take_back(length);
    steps_.clear();
}

std::uint32_t Engine::blocks_needed(const Sequence& sequence, std::uint32_t new_tokens) const {
    const std::uint32_t length = sequence.length();
    const bool copies = length % ops::block_slots != 0 && blocks_.shared(sequence.blocks_.back());
    return BlockPool::blocks_for(length + new_tokens) -
           static_cast<std::uint32_t>(sequence.blocks_.size()) + (copies ? 1 : 0);
}

// Submitted at once, lest a failed step drop the copy.
void Engine::copy_block(std::uint32_t from, std::uint32_t to) {
    for (auto& stage : stages_) {
        stage->cache.copy_block(stage->stream, from, to);
        stage->stream.submit();
    }
}

// Takes back what a sequence has. Steps under way may still compute for it, which harms nobody:
// whoever gets its blocks next writes to them later.
void Engine::release(Sequence& sequence) {
    for (auto& step : steps_) {
        for (auto& before : step->before)
            if (before.sequence == &sequence) before.sequence = nullptr;
        for (auto& pass : step->passes)
            for (auto& chooser : pass.choosers)
                if (chooser.sequence == &sequence) chooser.sequence = nullptr;
    }
    for (; !sequence.blocks_.empty(); sequence.blocks_.pop_back())
        blocks_.release(sequence.blocks_.back());
    if (sequence.slot_ != no_slot) choices_->free.push_back(sequence.slot_);
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
