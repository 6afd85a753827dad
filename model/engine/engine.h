#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "model/engine/block_pool.h"
#include "model/engine/random.h"
#include "model/engine/sampling.h"
#include "model/engine/sequence.h"
#include "model/kv_cache.h"
#include "model/mistral.h"
#include "model/tokenizer.h"

namespace assay {

struct EngineOptions {
    Cache kv = Cache::f16;
    std::uint32_t context = 4096;     // positions a sequence may have
    std::uint32_t sequences = 1;      // most that tokens are chosen for at a time
    std::uint32_t kv_blocks = 0;      // of the cache; 0: all sequences at full length
    std::uint32_t prefill_chunk = 0;  // most new tokens in a step; 0: what suits the device
    bool batch_invariant = false;     // see StreamOptions
    bool int8_activations = false;    // see StreamOptions
    bool profile = false;
    ForwardObserver* observer = nullptr;  // of every step; may be absent

    // Rows that tokens are chosen for in a step, for which there is room: one for each sequence, or
    // one and its guesses.
    std::uint32_t choice_rows() const { return std::max(sequences, 1 + shader::most_guesses); }
    std::uint32_t blocks() const {
        return kv_blocks ? kv_blocks : sequences * BlockPool::blocks_for(context);
    }
};

// A sequence's part of a step: new tokens for it, and what is wanted of them.
struct Work {
    Sequence* sequence = nullptr;
    std::span<const TokenId> tokens;
    enum Wanted : std::uint8_t {
        nothing,
        last,
        all
    } logits = nothing;   // raw logits to the host: of the last or all of the new tokens
    bool sample = false;  // choose the token that follows the last one
    // So many of the tokens, at the end, are guesses (fewer than tokens, at most
    // shader::most_guesses): tokens are also chosen behind the token before them and behind each.
    std::uint32_t guesses = 0;
    Sampling how{};
    Draw draw{};                          // of random numbers; the position is set
    std::span<const TokenId> asked = {};  // tokens whose raw logits are wanted where one is chosen,
                                          // or else behind the last token
};
struct Outcome {
    std::vector<TokenId> tokens;  // chosen: one, and one more for each guess
    std::vector<float> logits;    // (asked rows, vocab_size)
    std::vector<float> asked;     // (as many rows, tokens asked for)
};

// A share of a model on its device.
struct Stage {
    Device& device;
    const Mistral& model;
    Share share{};
};

// Runs steps of a ragged batch of sequences over a paged KV cache.
class Engine {
public:
    Engine(Device& device, const Mistral& model, const EngineOptions& options)
        : Engine(std::vector<Stage>{{device, model}}, options) {}
    // The shares of a model in the order of their layers: every step goes through all in turn.
    Engine(const std::vector<Stage>& stages, const EngineOptions& options);
    ~Engine();

    // One forward pass over the new tokens of all, at least one each; as several if they are more
    // than a chunk. Throws an Error when a sequence would outgrow the context, when the cache is
    // full, when a token is not in the vocabulary, or when a logit asked for is not a number; every sequence is then as before, and the
    // cache knows no beginnings of texts any more.
    std::vector<Outcome> step(std::span<const Work> work);

    // The same in two halves, so that the device has work while the host looks at what came of the
    // step before: submit, submit, collect, submit, collect ... An Error undoes every step that is
    // under way; a sequence that adopted something meanwhile is then empty.
    void submit(std::span<const Work> work);
    std::vector<Outcome> collect();  // of the step submitted first
    std::size_t steps_under_way() const { return steps_.size(); }
    // Whether a step can be submitted before the last one is collected.
    bool can_look_ahead() const { return stages_.size() == 1; }

    // Blocks of the KV cache that a step must find to add so many tokens to a sequence.
    std::uint32_t blocks_needed(const Sequence& sequence, std::uint32_t new_tokens) const;
    // The same for a new sequence that adopts a text and goes on to so many positions.
    std::uint32_t blocks_to_begin(std::span<const TokenId> text, std::uint32_t positions) const;
    const BlockPool& blocks() const { return blocks_; }

    // In place of the options' observer, from the next step on; null for none.
    void observe(ForwardObserver* observer) { options_.observer = observer; }

    const Config& config() const { return stages_.front()->model.config(); }
    const EngineOptions& options() const { return options_; }
    Stream& stream(std::size_t stage = 0) { return stages_[stage]->stream; }
    ExpertUse expert_use();  // of all stages, since their weights were loaded

private:
    friend class Sequence;
    struct Piece;
    struct Pass;
    struct Step;
    struct ChoiceState;
    struct StageState {
        StageState(const Stage& stage, const EngineOptions& options);

        Device& device;
        const Mistral& model;
        KvCache cache;
        Stream stream;  // goes before them: it waits for what still uses the cache
    };

    void check(std::span<const Work> work) const;
    void record(std::span<const Work> work, Step& step);
    void run(std::span<const Piece> pieces, std::span<const Work> work, Step& step);
    void extend(const Piece& piece, const Work& work, Pass& pass);
    void want(const Piece& piece, const Work& work, Pass& pass, Outcome& outcome);
    void mark(Sequence& sequence, std::uint32_t end, Pass& pass);
    Batch upload(Stream& s, const Pass& pass);
    void choose(Stream& s, const Tensor& logits, const Tensor& tokens, const Pass& pass);
    Tensor run_layers(StageState& stage, const Batch& batch, const std::vector<float>& handed_on);
    std::vector<Outcome> outcomes_of(Step& step);
    void undo_all() noexcept;
    void copy_block(std::uint32_t from, std::uint32_t to);
    void release(Sequence& sequence);
    [[noreturn]] void throw_broken();

    EngineOptions options_;
    BlockPool blocks_;
    std::vector<std::unique_ptr<StageState>> stages_;
    std::unique_ptr<ChoiceState> choices_;
    std::deque<std::unique_ptr<Step>> steps_;  // under way, oldest first
};

// New tokens in a step unless the options say otherwise.
std::uint32_t default_prefill_chunk(const Config& config, const DeviceInfo& device);

// Scratch of the widest step, which an Engine reserves on the device of a share.
std::uint64_t scratch_bytes(const Config& config, const EngineOptions& options,
                            const DeviceInfo& device, const Share& share = {});

}  // namespace assay
