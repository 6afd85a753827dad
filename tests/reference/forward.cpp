#include "tests/reference/forward.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::reference {
namespace {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;

// x w^T, seen by whom it may concern.
struct Linear {
    const OnInput& on_input;

    Rows operator()(const std::vector<float>& weight, const Rows& x) const {
        const std::size_t in = x.front().size(), out = weight.size() / in;
        Rows y(x.size(), Vector(out));
        for (std::size_t t = 0; t < x.size(); ++t) {
            if (on_input) on_input(weight, x[t]);
            for (std::size_t o = 0; o < out; ++o)
                for (std::size_t i = 0; i < in; ++i) y[t][o] += weight[o * in + i] * x[t][i];
        }
        return y;
    }
};

Rows normalised(const Rows& x, const std::vector<float>& weight, double eps) {
    Rows y = x;
    for (Vector& row : y) {
        double squares = 0;
        for (double v : row) squares += v * v;
        const double scale = 1 / std::sqrt(squares / static_cast<double>(row.size()) + eps);
        for (std::size_t i = 0; i < row.size(); ++i) row[i] *= scale * weight[i];
    }
    return y;
}

void add(Rows& x, const Rows& y) {
    for (std::size_t t = 0; t < x.size(); ++t)
        for (std::size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
}

struct Shape {
    std::size_t heads, kv_heads, head_dim, window;
    double theta, factor;
};

void rotate(Rows& x, const Shape& shape) {
    const std::size_t half = shape.head_dim / 2;
    for (std::size_t t = 0; t < x.size(); ++t)
        for (std::size_t head = 0; head < x[t].size() / shape.head_dim; ++head)
            for (std::size_t i = 0; i < half; ++i) {
                const double angle = static_cast<double>(t) / shape.factor *
                                     std::pow(shape.theta, -2 * static_cast<double>(i) /
                                                               static_cast<double>(shape.head_dim));
                double &a = x[t][head * shape.head_dim + i],
                       &b = x[t][head * shape.head_dim + half + i];
                const double turned = a * std::cos(angle) - b * std::sin(angle);
                b = b * std::cos(angle) + a * std::sin(angle);
                a = turned;
            }
}

Rows attend(const Rows& q, const Rows& k, const Rows& v, const Shape& shape) {
    Rows y(q.size(), Vector(q.front().size()));
    for (std::size_t t = 0; t < q.size(); ++t)
        for (std::size_t head = 0; head < shape.heads; ++head) {
            const std::size_t from = head * shape.head_dim,
                              kv_from = head / (shape.heads / shape.kv_heads) * shape.head_dim;
            const std::size_t first =
                shape.window && t + 1 > shape.window ? t + 1 - shape.window : 0;
            Vector scores;
            for (std::size_t s = first; s <= t; ++s) {
                double dot = 0;
                for (std::size_t i = 0; i < shape.head_dim; ++i)
                    dot += q[t][from + i] * k[s][kv_from + i];
                scores.push_back(dot / std::sqrt(static_cast<double>(shape.head_dim)));
            }
            const double greatest = *std::max_element(scores.begin(), scores.end());
            double sum = 0;
            for (double& score : scores) sum += score = std::exp(score - greatest);
            for (std::size_t s = first; s <= t; ++s)
                for (std::size_t i = 0; i < shape.head_dim; ++i)
                    y[t][from + i] += scores[s - first] / sum * v[s][kv_from + i];
        }
    return y;
}

struct FeedForward {
    const std::vector<float>&w1, &w2, &w3;
};

// w2 (silu(w1 h) * w3 h)
Rows feed_forward(const Linear& linear, const FeedForward& w, const Rows& h) {
    Rows gate = linear(w.w1, h);
    const Rows up = linear(w.w3, h);
    for (std::size_t t = 0; t < gate.size(); ++t)
        for (std::size_t j = 0; j < gate[t].size(); ++j)
            gate[t][j] *= up[t][j] / (1 + std::exp(-gate[t][j]));
    return linear(w.w2, gate);
}

// Mixtral (arXiv:2401.04088): the sum over the k experts of greatest logits, weighted by a softmax
// over those logits alone.
Rows mixture(const Linear& linear, const std::vector<float>& gate,
             const std::vector<FeedForward>& experts, std::size_t k, const Rows& h) {
    Rows y;
    const Rows logits = linear(gate, h);
    for (std::size_t t = 0; t < h.size(); ++t) {
        std::vector<std::size_t> order(experts.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return logits[t][a] > logits[t][b]; });
        double sum = 0;
        for (std::size_t i = 0; i < k; ++i)
            sum += std::exp(logits[t][order[i]] - logits[t][order[0]]);
        Vector row(h[t].size());
        for (std::size_t i = 0; i < k; ++i) {
            const double weight = std::exp(logits[t][order[i]] - logits[t][order[0]]) / sum;
            const Rows part = feed_forward(linear, experts[order[i]], {h[t]});
            for (std::size_t j = 0; j < row.size(); ++j) row[j] += weight * part[0][j];
        }
        y.push_back(std::move(row));
    }
    return y;
}

}  // namespace

std::vector<double> forward(const test::TinyModel& model, std::span<const std::uint32_t> tokens,
                            const OnInput& on_input) {
    const Linear linear{on_input};
    const auto& config = model.config;
    const auto weight = [&](const std::string& name) -> const std::vector<float>& {
        return model.weights.at(name + ".weight");
    };
    const double eps = config.at("rms_norm_eps");
    Shape shape{.heads = config.at("num_attention_heads"),
                .kv_heads = config.at("num_key_value_heads"),
                .head_dim = config.at("head_dim"),
                .window = config.at("sliding_window").is_null()
                              ? 0
                              : config.at("sliding_window").get<std::size_t>(),
                .theta = config.at("rope_theta"),
                .factor = 1};
    if (config.contains("rope_scaling")) shape.factor = config.at("rope_scaling").at("factor");

    const std::size_t hidden = config.at("hidden_size");
    const auto& embedding = weight("model.embed_tokens");
    Rows x;
    for (std::uint32_t token : tokens)
        x.emplace_back(embedding.begin() + static_cast<std::ptrdiff_t>(token * hidden),
                       embedding.begin() + static_cast<std::ptrdiff_t>((token + 1) * hidden));
    for (int i = 0; i < config.at("num_hidden_layers").get<int>(); ++i) {
        const std::string layer = "model.layers." + std::to_string(i) + ".";
        Rows h = normalised(x, weight(layer + "input_layernorm"), eps);
        Rows q = linear(weight(layer + "self_attn.q_proj"), h),
             k = linear(weight(layer + "self_attn.k_proj"), h);
        rotate(q, shape);
        rotate(k, shape);
        add(x, linear(weight(layer + "self_attn.o_proj"),
                      attend(q, k, linear(weight(layer + "self_attn.v_proj"), h), shape)));

        h = normalised(x, weight(layer + "post_attention_layernorm"), eps);
        std::vector<FeedForward> experts;
        for (std::size_t e = 0; e < config.value("num_local_experts", std::size_t{0}); ++e) {
            const std::string expert = layer + "block_sparse_moe.experts." + std::to_string(e);
            experts.push_back(
                {weight(expert + ".w1"), weight(expert + ".w2"), weight(expert + ".w3")});
        }
        add(x, experts.empty()
                   ? feed_forward(linear,
                                  {weight(layer + "mlp.gate_proj"), weight(layer + "mlp.down_proj"),
                                   weight(layer + "mlp.up_proj")},
                                  h)
                   : mixture(linear, weight(layer + "block_sparse_moe.gate"), experts,
                             config.at("num_experts_per_tok"), h));
    }
    const bool tied = config.at("tie_word_embeddings");
    std::vector<double> logits;
    for (const Vector& row :
         linear(tied ? embedding : weight("lm_head"), normalised(x, weight("model.norm"), eps)))
        logits.insert(logits.end(), row.begin(), row.end());
    return logits;
}

}  // namespace assay::reference
