// Shapes: T tokens in the step, R rows of logits asked for, D hidden size, H heads, K key-value
// heads, E experts per token.
#include "model/mistral.h"

#include <utility>

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

Tensor Mistral::run_layers(Stream& s, Tensor x, const Batch& batch, const KvCache& cache) const {
    const bool ends = weights_.output.out_dim != 0;
    for (std::uint32_t i = 0; i < weights_.layers.size(); ++i) {
        const bool stops = ends && i + 1 == weights_.layers.size() && batch.some_rows_stop();
        const Tensor to = stops ? gather(s, x, batch.wanted) : x;
        attend(s, weights_.layers[i], x, to, batch, cache.layer(i));
        x = to;
        feed_forward(s, weights_.layers[i], x, batch);
    }
    return x;
}

Tensor Mistral::logits(Stream& s, const Tensor& x, const Batch& batch) const {
    const Tensor wanted = x.rows() != batch.wanted.rows() ? gather(s, x, batch.wanted) : x;
    Tensor last = rmsnorm(s, wanted, weights_.norm, config_.rms_norm_eps);
    observe(s, batch, last, weights_.output);
    return matmul(s, weights_.output, last);  // (R, vocab_size)
}

// Stores the keys and values of all rows of `from`, of which `to` has all or those wanted:
// to += wo attention(norm(from))
void Mistral::attend(Stream& s, const Layer& layer, const Tensor& from, const Tensor& to,
                     const Batch& batch, const KeysValues& cache) const {
    auto scratch = s.scope();
    const Attention& w = layer.attention;
    const Tensor h = rmsnorm(s, from, layer.attention_norm, config_.rms_norm_eps);
    observe(s, batch, h, w.wq, w.wk, w.wv);
    Columns next;  // a weight's product has the columns of all whose rows it holds
    const auto project = [&](const Weight& weight, std::uint32_t heads) {
        if (weight.out_dim != 0) next = {matmul(s, weight, h)};
        return Columns{next.of, std::exchange(next.first, next.first + heads * config_.head_dim)};
    };
    const Columns q = project(w.wq, config_.num_attention_heads),
                  k = project(w.wk, config_.num_key_value_heads),
                  v = project(w.wv, config_.num_key_value_heads);
    Tensor turned = rope(s, q, k, v, config_.num_attention_heads, batch.positions, batch.slots,
                         weights_.angles, cache);  // (T, H, head_dim)
    if (to.rows() == 0) return;

    const bool all = to.rows() == from.rows();
    if (!all) turned = gather(s, turned, batch.wanted).heads(config_.num_attention_heads);
    Tensor attended = attention(s, turned, cache, all ? batch.attended : batch.attended_by_wanted,
                                config_.sliding_window);
    observe(s, batch, attended, w.wo);
    matmul_add(s, w.wo, attended, to);
}

void Mistral::feed_forward(Stream& s, const Layer& w, const Tensor& x, const Batch& batch) const {
    if (x.rows() == 0) return;
    auto scratch = s.scope();
    const Tensor h = rmsnorm(s, x, w.ffn_norm, config_.rms_norm_eps);
    std::visit([&](const auto& ffn) { feed_forward(s, ffn, h, x, batch); }, w.ffn);
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
