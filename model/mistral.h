#pragma once
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/checkpoint.h"
#include "model/kv_cache.h"
#include "model/share.h"
#include "model/uploader.h"
#include "runtime/ops.h"

namespace assay {

// wk and wv are empty where the weight before holds their rows behind its own, as it does if their
// formats agree.
struct Attention {
    Weight wq, wk, wv, wo;
};
// w1 and w3 are one weight, interleaved as for ops::matmul_swiglu(), unless their formats differ.
struct FeedForward {
    Weight w1, w3, w2;

    bool interleaved() const { return w3.out_dim == 0; }
};
struct Experts {
    std::uint32_t layer = 0;  // of the model
    Weight gate;              // (num_local_experts, hidden_size)
    ops::ExpertWeights weights;
    Tensor store;  // (num_local_experts, words of one): all of them, where they lie in host memory
    std::uint32_t pool = 0, layer_in_pool = 0;  // and the slots they are brought to
};
struct Layer {
    Tensor attention_norm, ffn_norm;  // (hidden_size)
    Attention attention;
    std::variant<FeedForward, Experts> ffn;
};
// A matrix on the device with the names of the tensors that its rows come from, in turn.
struct NamedWeight {
    std::vector<std::string> names;
    Weight weight;
};
// Of the share of a model that a device holds.
struct Weights {
    Weight embedding;  // (vocab_size, hidden_size), with the first layer
    std::vector<Layer> layers;
    Tensor norm;    // (hidden_size), with the last layer
    Weight output;  // (vocab_size, hidden_size), too; the embedding itself where they are tied
    Tensor angles;  // (context, head_dim / 2, 2), see rope_angles()
    std::vector<ops::ExpertPool> pools;
    std::vector<NamedWeight> matrices;  // all of the above
    std::vector<Buffer> memory, host_memory;
};

// How often experts kept in host memory were found on the device.
struct ExpertUse {
    std::uint64_t hits = 0, misses = 0;
};
// Since the weights were loaded.
ExpertUse expert_use(Stream& stream, const Weights& weights);

// Where a weight is NaN or infinite: "model.layers.1.mlp.up_proj.weight: row 3, column 7 is nan".
// Decodes every weight, so it is for the time after something went wrong.
std::optional<std::string> find_broken_weight(Stream& stream, const Weights& weights);

// Streams a share of a checkpoint's weights to the device. Positions up to `context` can be
// computed.
Weights load_weights(Device& device, const Checkpoint& checkpoint, std::uint32_t context,
                     const Share& share = {}, const LoadProgress& progress = {});

// Bytes that load_weights() takes.
struct WeightBytes {
    std::uint64_t device = 0, host = 0;
    std::uint64_t expert_slot = 0;   // of each slot, which `device` counts
    std::uint32_t expert_slots = 0;  // that there are: as many as asked for or a few less
};
WeightBytes weight_bytes(const Checkpoint& checkpoint, std::uint32_t context,
                         const Share& share = {});

// The cosine and sine of position / rope_scaling_factor * rope_theta^(-2i / head_dim), in the order
// (position, i, 2), computed in the precision of the reference implementation: float frequencies
// and angles.
std::vector<float> rope_angles(const Config& config, std::uint32_t context);

// Sees what goes through a forward pass, while it is recorded. Weights are those of
// Mistral::weights().
class ForwardObserver {
public:
    virtual ~ForwardObserver() = default;
    // x (T, in_dim) is about to be multiplied by w, which is empty where another holds its rows.
    virtual void input(Stream&, const Weight& /*w*/, const Tensor& /*x*/) {}
    // The same for weights of experts: x has a row per token or per routed row.
    virtual void input(Stream&, const WeightStack& /*w*/, const Tensor& /*x*/,
                       const ops::Routing&) {}
    // What the router of a layer chose: experts (T, E), u32, and their weights (T, E).
    virtual void routed(Stream&, std::uint32_t /*layer*/, const Tensor& /*experts*/,
                        const Tensor& /*weights*/) {}
};

// One step: the new tokens of every sequence laid end to end, and where each goes in the KV cache.
struct Batch {
    Tensor tokens, positions, slots;  // (T), u32
    Tensor wanted;                    // (R), u32: the rows whose logits are asked for
    ops::Attended attended, attended_by_wanted;  // the latter's tiles are of the wanted rows alone
    ForwardObserver* observer = nullptr;         // may be absent; sees every row in every layer

    // Whether other rows can stop where the last layer has stored their keys and values.
    bool some_rows_stop() const { return wanted.rows() != tokens.rows() && !observer; }
};

// Mistral 7B (arXiv:2310.06825); Mixtral 8x7B (arXiv:2401.04088), whose feed-forward blocks are
// mixtures of experts; and Llama 2 (arXiv:2307.09288), which is Mistral without a sliding window.
class Mistral {
public:
    Mistral(const Config& config, Weights weights)
        : config_(config), weights_(std::move(weights)) {}

    // The residual stream of the tokens: (T, hidden_size).
    Tensor embed(Stream&, const Batch&) const;
    // x behind the layers of this share, whose keys and values are in the cache: of all tokens or,
    // behind the last layer, perhaps of the wanted rows alone.
    Tensor run_layers(Stream&, Tensor x, const Batch&, const KvCache&) const;
    // The logits of the wanted rows, (R, vocab_size), of what run_layers() returned.
    Tensor logits(Stream&, const Tensor& x, const Batch&) const;

    const Config& config() const { return config_; }
    const Weights& weights() const { return weights_; }

private:
    void attend(Stream&, const Layer&, const Tensor& from, const Tensor& to, const Batch&,
                const ops::KeysValues&) const;
    void feed_forward(Stream&, const Layer&, const Tensor& x, const Batch&) const;
    void feed_forward(Stream&, const FeedForward&, const Tensor& h, const Tensor& x,
                      const Batch&) const;
    void feed_forward(Stream&, const Experts&, const Tensor& h, const Tensor& x,
                      const Batch&) const;

    Config config_;
    Weights weights_;
};

}  // namespace assay
