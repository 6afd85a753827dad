#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "model/engine/sampling.h"
#include "model/kv_cache.h"
#include "model/mistral.h"
#include "model/tokenizer.h"

namespace assay {

struct EngineOptions {
    Cache kv = Cache::f16;
    std::uint32_t context = 4096;     // positions a sequence may have
    std::uint32_t sequences = 1;      // that the KV cache holds at full length
    std::uint32_t prefill_chunk = 0;  // most new tokens in a step; 0: what suits the device
    bool profile = false;
    ForwardObserver* observer = nullptr;  // of every step; may be absent
};

class Engine;

// The tokens of one text, with its blocks of the KV cache. Gives them back on destruction.
class Sequence {
public:
    explicit Sequence(Engine& engine) : engine_(&engine) {}
    ~Sequence();
    Sequence(const Sequence&) = delete;
    Sequence& operator=(const Sequence&) = delete;

    std::uint32_t length() const { return static_cast<std::uint32_t>(tokens_.size()); }
    std::span<const TokenId> tokens() const { return tokens_; }
    void truncate(std::uint32_t length);  // forgets what comes after

private:
    friend class Engine;
    Engine* engine_;
    std::vector<TokenId> tokens_;  // that the KV cache holds
    std::vector<std::uint32_t> blocks_;
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
    bool sample = false;  // choose the token that follows
    Sampling how{};
    float random = 0;  // in [0, 1), see uniform()
};
struct Outcome {
    TokenId token = 0;          // if asked for
    std::vector<float> logits;  // (asked rows, vocab_size)
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

    // One forward pass over the new tokens of all, at least one each; as several if they are more
    // than a chunk. Throws an Error when a sequence would outgrow the context, when the cache is
    // full, or when a logit asked for is not a number; every sequence is then as before.
    std::vector<Outcome> step(std::span<const Work> work);

    // In place of the options' observer, from the next step on; null for none.
    void observe(ForwardObserver* observer) { options_.observer = observer; }

    const Config& config() const { return stages_.front()->model.config(); }
    const EngineOptions& options() const { return options_; }
    Stream& stream(std::size_t stage = 0) { return stages_[stage]->stream; }
    ExpertUse expert_use();  // of all stages, since their weights were loaded

private:
    friend class Sequence;
    struct Piece;
    struct StageState {
        StageState(const Stage& stage, const EngineOptions& options, std::uint32_t blocks);

        Device& device;
        const Mistral& model;
        KvCache cache;
        Stream stream;  // goes first: it waits for what still uses the cache
    };

    std::vector<Outcome> compute(std::span<const Work> work);
    void run(std::span<const Piece> pieces, std::span<const Work> work,
             std::vector<Outcome>& outcomes);
    Tensor run_layers(StageState& stage, const Batch& batch, const std::vector<float>& handed_on);
    [[noreturn]] void throw_broken();

    EngineOptions options_;
    BlockPool blocks_;
    std::vector<std::unique_ptr<StageState>> stages_;
};

// New tokens in a step unless the options say otherwise.
std::uint32_t default_prefill_chunk(const Config& config, const DeviceInfo& device);

// Scratch of the widest step, which an Engine reserves on the device of a share.
std::uint64_t scratch_bytes(const Config& config, const EngineOptions& options,
                            const DeviceInfo& device, const Share& share = {});

}  // namespace assay
