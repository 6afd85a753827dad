// Shapes: T tokens in the step, R rows of logits asked for, D hidden size, H heads, K key-value
// heads, E experts per token.
#include "model/mistral.h"

namespace assay {

using namespace ops;

namespace {

// What an observer may want to see of the product of x with each of some weights.
template <class... Weights>
void observe(Stream& s, const Batch& batch, const Tensor& x, const Weights&... weights) {
    if (batch.observer) (batch.observer->input(s, weights, x), ...);
}

}  // namespace

Tensor Mistral::embed(Stream& s, const Batch& batch) const {
    return ops::embed(s, weights_.embedding, batch.tokens);
}

void Mistral::run_layers(Stream& s, const Tensor& x, const Batch& batch,
                         const KvCache& cache) const {
    for (std::uint32_t i = 0; i < weights_.layers.size(); ++i)
        block(s, weights_.layers[i], x, batch, cache.layer(i));
}

Tensor Mistral::logits(Stream& s, const Tensor& x, const Batch& batch) const {
    Tensor last = rmsnorm(s, gather(s, x, batch.wanted), weights_.norm, config_.rms_norm_eps);
    observe(s, batch, last, weights_.output);
    return matmul(s, weights_.output, last);  // (R, vocab_size)
}

void Mistral::block(Stream& s, const Layer& w, const Tensor& x, const Batch& batch,
                    const KeysValues& cache) const {
    {
        auto scratch = s.scope();
        self_attention(s, w.attention, rmsnorm(s, x, w.attention_norm, config_.rms_norm_eps), x,
                       batch, cache);
    }
    auto scratch = s.scope();
    const Tensor h = rmsnorm(s, x, w.ffn_norm, config_.rms_norm_eps);
    std::visit([&](const auto& ffn) { feed_forward(s, ffn, h, x, batch); }, w.ffn);
}

// x += wo attention(h)
void Mistral::self_attention(Stream& s, const Attention& w, const Tensor& h, const Tensor& x,
                             const Batch& batch, const KeysValues& cache) const {
    observe(s, batch, h, w.wq, w.wk, w.wv);
    Tensor q = matmul(s, w.wq, h).heads(config_.num_attention_heads);  // (T, H, head_dim)
    Tensor k = matmul(s, w.wk, h).heads(config_.num_key_value_heads);  // (T, K, head_dim)
    Tensor v = matmul(s, w.wv, h).heads(config_.num_key_value_heads);

    rope(s, q, k, v, batch.positions, batch.slots, weights_.angles, cache);
    Tensor attended = attention(s, q, cache, batch.attended, config_.sliding_window);
    observe(s, batch, attended, w.wo);
    matmul_add(s, w.wo, attended, x);
}

// SwiGLU: x += w2 (silu(w1 h) * w3 h)
void Mistral::feed_forward(Stream& s, const FeedForward& w, const Tensor& h, const Tensor& x,
                           const Batch& batch) const {
    observe(s, batch, h, w.w1, w.w3);
    Tensor up = w.interleaved() ? matmul_swiglu(s, w.w1, h)
                                : silu_mul(s, matmul(s, w.w1, h), matmul(s, w.w3, h));
    observe(s, batch, up, w.w2);
    matmul_add(s, w.w2, up, x);
}

// Each token runs its E best experts, weighted by a softmax over those E logits alone.
void Mistral::feed_forward(Stream& s, const Experts& w, const Tensor& h, const Tensor& x,
                           const Batch& batch) const {
    observe(s, batch, h, w.gate);
    Routing routing = route(s, matmul(s, w.gate, h), config_.num_experts_per_tok, w.weights);
    if (batch.observer) batch.observer->routed(s, w.layer, routing.chosen, routing.weights);
    if (w.store.address)
        fetch_experts(s, weights_.pools[w.pool], w.layer_in_pool, w.store, routing);
    Tensor up = experts_up(s, w.weights, h, routing);  // (T * E, intermediate_size)
    if (batch.observer) {
        batch.observer->input(s, w.weights.w1, h, routing);
        batch.observer->input(s, w.weights.w3, h, routing);
        batch.observer->input(s, w.weights.w2, up, routing);
    }
    combine_add(s, experts_down(s, w.weights, up, routing), routing, x);
}

}  // namespace assay
