#include "model/engine/step.h"

#include <algorithm>
#include <cassert>

namespace assay {

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
        assert(total > work[i].guesses && work[i].guesses <= shader::most_guesses);
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
        const std::uint32_t shared = sequence.blocks_.back();
        sequence.blocks_.back() = blocks_.take();
        blocks_.release(shared);
        copy_block(shared, sequence.blocks_.back());
    }
    while (sequence.blocks_.size() < BlockPool::blocks_for(start + piece.count))
        sequence.blocks_.push_back(blocks_.take());
    pass.runs.push_back({pass.rows(), piece.count, start});
    for (std::uint32_t i = 0; i < piece.count; ++i) {
        const std::uint32_t position = start + i;
        const TokenId token = work.tokens[piece.first + i];
        pass.names_chosen |= token == chosen_before;
        pass.tokens.push_back(token == chosen_before ? shader::chosen_flag | sequence.choice_row_
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
                                .choice_row = work.sequence->choice_row_,
                                .first_guess = first_row + certain - piece.first,
                                .guesses = index + 1 - certain,
                                .keep = work.guesses == 0});
        }
        for (TokenId token : work.asked) pass.asked.push_back({row, token});
        pass.results->choosers.push_back(
            {piece.work, work.sequence, next_position, std::ssize(work.asked), work.sample});
    }
    if (work.sample && work.guesses == 0) work.sequence->chosen_at_ = start + count;
    if (work.sample && work.how.repetition_penalty != 1 && piece.first < certain &&
        certain <= piece.first + count)
        mark(*work.sequence, start + certain - piece.first, pass);

    const auto wanted = static_cast<std::uint32_t>(pass.wanted.size()) - first_wanted;
    pass.wanted_runs.push_back({first_wanted, wanted, start + count - wanted});
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
    if (sequence.marked_ == 0) pass.cleared.push_back(sequence.choice_row_);
    for (std::uint32_t p = sequence.marked_; p < std::min(end, run.first_position); ++p) {
        pass.earlier_marks.push_back(
            {static_cast<std::uint32_t>(pass.earlier.size()), sequence.choice_row_});
        pass.earlier.push_back(sequence.tokens_[p]);
    }
    for (std::uint32_t p = std::max(sequence.marked_, run.first_position); p < end; ++p)
        pass.marks.push_back({run.first_row + p - run.first_position, sequence.choice_row_});
    sequence.marked_ = end;
}

// The residual stream behind a stage's layers, see Mistral::run_layers(). `handed_on` is what the
// stage before gave; empty for the first.
Tensor Engine::run_layers(StageState& stage, const Batch& batch,
                          const std::vector<float>& handed_on) {
    const Tensor x = handed_on.empty() ? stage.model.embed(stage.stream, batch)
                                       : upload_rows(stage.stream, handed_on, config().hidden_size);
    return stage.model.run_layers(stage.stream, x, batch, stage.cache);
}

void Engine::run(std::span<const Piece> pieces, std::span<const Work> work, Step& step) {
    Pass pass;
    pass.results = &step.passes.emplace_back();
    for (const Piece& piece : pieces) {
        const Work& w = work[piece.work];
        if (w.sample && w.sequence->choice_row_ == Sequence::no_choice_row)
            w.sequence->choice_row_ = choices_->take();
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
    Tensor block_tables = upload_words(s, pass.tables);
    block_tables.shape = {static_cast<std::uint32_t>(pass.runs.size()), pass.table_stride, 1};
    Tensor tokens = upload_words(s, pass.tokens);
    if (pass.names_chosen) tokens = ops::resolve_tokens(s, tokens, choices_->chosen);
    const auto attended_by = [&](const std::vector<ops::QueryRun>& runs) -> ops::Attended {
        const auto tiles = ops::make_tiles(
            s.device(), runs, config().num_attention_heads / config().num_key_value_heads);
        std::uint32_t tile_tokens = 0;
        for (auto& tile : tiles) tile_tokens = std::max(tile_tokens, tile.tokens);
        return {.block_tables = block_tables,
                .tiles = upload_words(s, tiles),
                .tile_count = static_cast<std::uint32_t>(tiles.size()),
                .single_tiles = static_cast<std::uint32_t>(
                    std::ranges::count(tiles, 1u, &shader::QueryTile::tokens)),
                .tile_tokens = tile_tokens,
                .most_keys = pass.most_keys};
    };
    return {.tokens = tokens,
            .positions = upload_words(s, pass.positions),
            .slots = upload_words(s, pass.slots),
            .wanted = upload_words(s, pass.wanted),
            .attended = attended_by(pass.runs),
            .attended_by_wanted = attended_by(pass.wanted_runs),
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
        for (std::uint32_t row : pass.cleared)
            s.copy({none.address, {1, none.rows(), 1}}, choices_->seen.slice(row, 1));
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

}  // namespace assay
