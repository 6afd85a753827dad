#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/checkpoint.h"
#include "model/kv_cache.h"
#include "runtime/ops.h"

namespace assay {

struct Attention {
    Weight wq, wk, wv, wo;
};
struct FeedForward {
    Weight w1, w2, w3;
};
struct Layer {
    Tensor attention_norm, ffn_norm;  // (hidden_size)
    Attention attention;
    FeedForward ffn;
};
struct Weights {
    Weight embedding;  // (vocab_size, hidden_size)
    std::vector<Layer> layers;
    Tensor norm;    // (hidden_size)
    Weight output;  // (vocab_size, hidden_size); the embedding itself where they are tied
    Tensor angles;  // (context, head_dim / 2, 2), see rope_angles()
    std::vector<std::pair<std::string, Weight>> matrices;  // all of the above by name, for errors
    std::vector<Buffer> memory;
};

// Where a weight is NaN or infinite: "model.layers.1.mlp.up_proj.weight: row 3, column 7 is nan".
// Decodes every weight, so it is for the time after something went wrong.
std::optional<std::string> find_broken_weight(Stream& stream, const Weights& weights);

// Called while weights are loaded, with bytes of the file.
using LoadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Streams a checkpoint's weights to the device. Positions up to `context` can be computed.
Weights load_weights(Device& device, const Checkpoint& checkpoint, std::uint32_t context,
                     const LoadProgress& progress = {});

// Bytes that load_weights() takes on the device.
std::uint64_t weight_bytes(const Checkpoint& checkpoint, std::uint32_t context);

// The cosine and sine of position / rope_scaling_factor * rope_theta^(-2i / head_dim), in the order
// (position, i, 2), computed in the precision of the reference implementation: float frequencies
// and angles.
std::vector<float> rope_angles(const Config& config, std::uint32_t context);

// One step: the new tokens of every sequence laid end to end, and where each goes in the KV cache.
struct Batch {
    Tensor tokens, positions, slots;  // (T), u32
    Tensor wanted;                    // (R), u32: the rows whose logits are asked for
    ops::Attended attended;
};

// Mistral 7B (arXiv:2310.06825), and Llama 2 (arXiv:2307.09288), which is the same without a
// sliding window.
class Mistral {
public:
    Mistral(const Config& config, Weights weights)
        : config_(config), weights_(std::move(weights)) {}

    // The logits of the wanted rows: (R, vocab_size).
    Tensor logits(Stream&, const Batch&, const KvCache&) const;

    const Config& config() const { return config_; }
    const Weights& weights() const { return weights_; }

private:
    void block(Stream&, const Layer&, const Tensor& x, const Batch&, const ops::KeysValues&) const;
    void self_attention(Stream&, const Attention&, const Tensor& h, const Tensor& x, const Batch&,
                        const ops::KeysValues&) const;
    void feed_forward(Stream&, const FeedForward&, const Tensor& h, const Tensor& x) const;

    Config config_;
    Weights weights_;
};

}  // namespace assay
