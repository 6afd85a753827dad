// Shapes: T tokens in the step, R rows of logits asked for, D hidden size, H heads, K key-value
// heads.
#include "model/mistral.h"

namespace assay {

using namespace ops;

Tensor Mistral::logits(Stream& s, const Batch& batch, const KvCache& cache) const {
    Tensor x = embed(s, weights_.embedding, batch.tokens);  // (T, D), the residual stream
    for (std::uint32_t i = 0; i < weights_.layers.size(); ++i)
        block(s, weights_.layers[i], x, batch, cache.layer(i));

    Tensor last = gather(s, x, batch.wanted);  // (R, D)
    return matmul(s, weights_.output, rmsnorm(s, last, weights_.norm, config_.rms_norm_eps));
}

void Mistral::block(Stream& s, const Layer& w, const Tensor& x, const Batch& batch,
                    const KeysValues& cache) const {
    {
        auto scratch = s.scope();
        self_attention(s, w.attention, rmsnorm(s, x, w.attention_norm, config_.rms_norm_eps), x,
                       batch, cache);
    }
    auto scratch = s.scope();
    feed_forward(s, w.ffn, rmsnorm(s, x, w.ffn_norm, config_.rms_norm_eps), x);
}

// x += wo attention(h)
void Mistral::self_attention(Stream& s, const Attention& w, const Tensor& h, const Tensor& x,
                             const Batch& batch, const KeysValues& cache) const {
    Tensor q = matmul(s, w.wq, h).heads(config_.num_attention_heads);  // (T, H, head_dim)
    Tensor k = matmul(s, w.wk, h).heads(config_.num_key_value_heads);  // (T, K, head_dim)
    Tensor v = matmul(s, w.wv, h).heads(config_.num_key_value_heads);

    rope(s, q, k, v, batch.positions, batch.slots, weights_.angles, cache);
    matmul_add(s, w.wo, attention(s, q, cache, batch.attended, config_.sliding_window), x);
}

// SwiGLU: x += w2 (silu(w1 h) * w3 h)
void Mistral::feed_forward(Stream& s, const FeedForward& w, const Tensor& h,
                           const Tensor& x) const {
    matmul_add(s, w.w2, silu_mul(s, matmul(s, w.w1, h), matmul(s, w.w3, h)), x);
}

}  // namespace assay
