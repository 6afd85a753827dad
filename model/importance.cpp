#include "model/importance.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/expected_weights.h"
#include "runtime/error.h"

namespace assay {
namespace {

InputSums checked(const std::string& name, const std::vector<double>& squares,
                  const std::vector<std::uint64_t>& counts) {
    InputSums sums{.columns = squares.size() / counts.size(),
                   .squares = {squares.begin(), squares.end()},
                   .counts = {counts.begin(), counts.end()}};
    for (std::size_t i = 0; i < sums.squares.size(); ++i)
        if (!std::isfinite(sums.squares[i]))
            throw Error(name + ": column " + std::to_string(i % sums.columns) +
                        " was multiplied with what is no finite number");
    return sums;
}

// Calls `visit` with the name of every matrix of a layer, of the experts' those of the first, and
// the Weight or WeightStack that holds it.
template <class Visit>
void for_each_weight(const Layer& layer, const std::string& prefix, const Visit& visit) {
    const auto& [wq, wk, wv, wo] = layer.attention;
    visit(prefix + "self_attn.q_proj.weight", &wq);
    const Weight* with_k = wk.out_dim != 0 ? &wk : &wq;
    visit(prefix + "self_attn.k_proj.weight", with_k);
    visit(prefix + "self_attn.v_proj.weight", wv.out_dim != 0 ? &wv : with_k);
    visit(prefix + "self_attn.o_proj.weight", &wo);
    if (const auto* ffn = std::get_if<FeedForward>(&layer.ffn)) {
        visit(prefix + "mlp.gate_proj.weight", &ffn->w1);
        visit(prefix + "mlp.up_proj.weight", ffn->interleaved() ? &ffn->w1 : &ffn->w3);
        visit(prefix + "mlp.down_proj.weight", &ffn->w2);
    } else {
        const auto& experts = std::get<Experts>(layer.ffn);
        const auto& weights = experts.weights;
        const std::string mixture = prefix + "block_sparse_moe.";
        visit(mixture + "gate.weight", &experts.gate);
        visit(mixture + "experts.0.w1.weight", &weights.w1);
        visit(mixture + "experts.0.w3.weight", weights.interleaved() ? &weights.w1 : &weights.w3);
        visit(mixture + "experts.0.w2.weight", &weights.w2);
    }
}

}  // namespace

// The host can map the memory, since a step adds little to it: the sums of a 7B model take 3 MB.
Importance::Sums::Sums(Device& device, std::uint32_t matrices, std::uint32_t columns)
    : on_device(device, (std::uint64_t{matrices} * columns + matrices) * 4, Memory::download,
                "importance"),
      device_squares{on_device.address(), {matrices, columns, 1}},
      device_counts{on_device.address() + device_squares.bytes(), {matrices, 1, 1}},
      squares(std::size_t{matrices} * columns),
      counts(matrices) {
    std::ranges::fill(on_device.host(), std::byte{});
}

Importance::Sums& Importance::sums_of(Stream& s, const void* of, std::uint32_t matrices,
                                      std::uint32_t columns) {
    return sums_.try_emplace(of, s.device(), matrices, columns).first->second;
}

void Importance::input(Stream& s, const Weight& w, const Tensor& x) {
    if (w.out_dim == 0 || x.rows() == 0) return;
    const Sums& sums = sums_of(s, &w, 1, w.in_dim);
    ops::add_squares(s, x, sums.device_squares, sums.device_counts);
}

void Importance::input(Stream& s, const WeightStack& w, const Tensor& x,
                       const ops::Routing& routing) {
    if (w.first.out_dim == 0) return;
    const Sums& sums = sums_of(s, &w, w.slots.rows(), w.first.in_dim);
    ops::add_squares(s, x, routing, sums.device_squares, sums.device_counts);
}

void Importance::collect() {
    for (auto& [of, sums] : sums_) {
        std::vector<float> squares(sums.squares.size());
        std::vector<std::uint32_t> counts(sums.counts.size());
        const auto host = sums.on_device.host();
        std::memcpy(squares.data(), host.data(), squares.size() * 4);
        std::memcpy(counts.data(), host.data() + squares.size() * 4, counts.size() * 4);
        std::ranges::transform(squares, sums.squares, sums.squares.begin(), std::plus<>());
        std::ranges::transform(counts, sums.counts, sums.counts.begin(), std::plus<>());
        std::ranges::fill(host, std::byte{});
    }
}

std::map<std::string, InputSums, std::less<>> Importance::by_tensor() const {
    std::map<std::string, InputSums, std::less<>> tensors;
    const auto add = [&](const std::string& name, const void* of) {
        const auto found = sums_.find(of);
        if (found == sums_.end()) return;
        std::string gguf = gguf_name(name, shares_.front().config());
        InputSums sums = checked(gguf, found->second.squares, found->second.counts);
        tensors.emplace(std::move(gguf), std::move(sums));
    };
    std::uint32_t index = 0;
    for (const Mistral& share : shares_)
        for (const Layer& layer : share.weights().layers)
            for_each_weight(layer, "model.layers." + std::to_string(index++) + ".", add);
    return tensors;
}

std::vector<Importance::Expert> Importance::idle_experts() const {
    std::vector<Expert> idle;
    for (const Mistral& share : shares_)
        for (const Layer& layer : share.weights().layers) {
            const auto* experts = std::get_if<Experts>(&layer.ffn);
            if (!experts) continue;
            const auto found = sums_.find(&experts->weights.w2);
            if (found == sums_.end()) continue;
            const auto& counts = found->second.counts;
            for (std::uint32_t e = 0; e < counts.size(); ++e)
                if (counts[e] == 0) idle.push_back({experts->layer, e});
        }
    return idle;
}

}  // namespace assay
