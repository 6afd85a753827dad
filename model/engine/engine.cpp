#include "model/engine/engine.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>

#include "model/engine/step.h"
#include "runtime/error.h"

namespace assay {
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

Engine::StageState::StageState(const Stage& stage, const EngineOptions& options)
    : device(stage.device),
      model(stage.model),
      cache(device, model.config(), options.kv, options.blocks(), stage.share),
      stream(device, {.profile = options.profile,
                      .batch_invariant = options.batch_invariant,
                      .int8_activations = options.int8_activations}) {
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
    try {
        check(work);
        Step& step = *steps_.emplace_back(std::make_unique<Step>());
        for (const Work& w : work) step.before.push_back({w.sequence, w.sequence->length()});
        record(work, step);
    } catch (...) {
        undo_all();
        throw;
    }
}

std::vector<Outcome> Engine::collect() {
    assert(!steps_.empty());
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
    for (const Work& w : work)
        for (TokenId token : w.asked)
            if (token >= config().vocab_size)
                throw Error("token " + std::to_string(token) + " asked for: the vocabulary has " +
                            std::to_string(config().vocab_size));
    for (const Work& w : work)
        if (std::ranges::count(w.tokens, chosen_before) > 0 &&
            (w.tokens.size() > 1 || w.sequence->chosen_at_ != w.sequence->length() ||
             !can_look_ahead()))
            throw Error("the token chosen before: asked for among " +
                        std::to_string(w.tokens.size()) + " at position " +
                        std::to_string(w.sequence->length()) +
                        ", it stands alone where the step before chose it, on a single device");
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

// Every sequence is as before the steps under way. What these should have computed was described
// when they were submitted, also in blocks that were released since, so nothing can be found.
void Engine::undo_all() noexcept {
    for (auto& stage : stages_) {
        stage->stream.abandon();
        forget_experts(stage->stream, stage->model.weights());
    }
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
        for (const auto& [sequence, length] : (*step)->before)
            if (sequence) sequence->truncate(length);
    steps_.clear();
    blocks_.forget_all();
}

std::uint32_t Engine::blocks_needed(const Sequence& sequence, std::uint32_t new_tokens) const {
    const std::uint32_t length = sequence.length();
    const bool copies = length % ops::block_slots != 0 && blocks_.shared(sequence.blocks_.back());
    return BlockPool::blocks_for(length + new_tokens) -
           static_cast<std::uint32_t>(sequence.blocks_.size()) + (copies ? 1 : 0);
}

std::uint32_t Engine::blocks_to_begin(std::span<const TokenId> text,
                                      std::uint32_t positions) const {
    const auto in_use = std::ranges::count_if(blocks_.find(text.first(text.size() - 1)).blocks,
                                              [&](auto block) { return blocks_.in_use(block); });
    return BlockPool::blocks_for(positions) - static_cast<std::uint32_t>(in_use);
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
    if (sequence.choice_row_ != Sequence::no_choice_row)
        choices_->free.push_back(sequence.choice_row_);
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
