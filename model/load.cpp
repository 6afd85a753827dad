#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "model/formats/dequantise.h"
#include "model/formats/mapped_file.h"
#include "model/mistral.h"
#include "model/uploader.h"
#include "runtime/error.h"

namespace assay {
namespace {

std::uint64_t padded_bytes(const FileTensor& tensor) {
    return Uploader::aligned((tensor.rows() + panel_rows - 1) / panel_rows * panel_rows *
                             row_bytes(tensor.format, tensor.columns()));
}

std::uint64_t file_bytes(const Checkpoint& checkpoint) {
    std::uint64_t bytes = 0;
    for (const FileTensor& tensor : checkpoint.tensors()) bytes += tensor.data.size();
    return bytes;
}

// A norm's weight as floats. They are few, so they are looked at here: one that is no number names
// itself.
std::vector<float> norm_values(const FileTensor& tensor) {
    const FormatInfo& format = info(tensor.format);
    if (format.block_size != 1)
        throw Error(tensor.name + ": stored as " + std::string(format.name) +
                    ", a norm must be f32, f16 or bf16");
    std::vector<float> values(tensor.columns());
    dequantise(tensor.format, tensor.data, values);
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i]))
            throw Error(tensor.name + ": element " + std::to_string(i) + " is " +
                        std::to_string(values[i]) + ", not a finite number");
    return values;
}

class Loader {
public:
    Loader(Device& device, const Checkpoint& checkpoint, std::uint32_t context,
           const LoadProgress& progress)
        : checkpoint_(checkpoint),
          config_(checkpoint.config()),
          context_(context),
          uploader_(device, file_bytes(checkpoint), progress) {
        uploader_.expect(weight_bytes(checkpoint, context));
    }

    Weights load() {
        weights_.embedding = matrix("model.embed_tokens.weight");
        for (std::uint32_t i = 0; i < config_.num_hidden_layers; ++i)
            weights_.layers.push_back(layer(i));
        weights_.norm = vector("model.norm.weight");
        weights_.output =
            config_.tie_word_embeddings ? weights_.embedding : matrix("lm_head.weight");
        const std::vector<float> angles = rope_angles(config_, context_);
        weights_.angles = place<float>(angles, {context_, config_.head_dim / 2, 2});
        uploader_.finish();
        return std::move(weights_);
    }

private:
    Layer layer(std::uint32_t index) {
        const std::string name = "model.layers." + std::to_string(index) + ".";
        const std::uint32_t head_dim = checkpoint_.permuted_qk() ? config_.head_dim : 0;
        Layer layer{.attention_norm = vector(name + "input_layernorm.weight"),
                    .ffn_norm = vector(name + "post_attention_layernorm.weight"),
                    .attention = {.wq = matrix(name + "self_attn.q_proj.weight", head_dim),
                                  .wk = matrix(name + "self_attn.k_proj.weight", head_dim),
                                  .wv = matrix(name + "self_attn.v_proj.weight"),
                                  .wo = matrix(name + "self_attn.o_proj.weight")},
                    .ffn = {}};
        if (config_.num_local_experts == 0)
            layer.ffn = feed_forward(name + "mlp.");
        else
            layer.ffn = experts(index, name + "block_sparse_moe.");
        return layer;
    }

    FeedForward feed_forward(const std::string& name) {
        const std::string w1 = name + "gate_proj.weight", w3 = name + "up_proj.weight";
        FeedForward ffn;
        if (checkpoint_.tensor(w1).format == checkpoint_.tensor(w3).format)
            ffn.w1 = matrix(Names{w1, w3}, place_for({w1, w3}));
        else
            ffn.w1 = matrix(w1), ffn.w3 = matrix(w3);
        ffn.w2 = matrix(name + "down_proj.weight");
        return ffn;
    }

    Experts experts(std::uint32_t layer, const std::string& name) {
        Experts experts{.layer = layer, .gate = matrix(name + "gate.weight"), .weights = {}};
        std::vector<std::uint32_t> each(config_.num_local_experts);
        std::iota(each.begin(), each.end(), 0u);
        const Tensor slots = place<std::uint32_t>(each, {config_.num_local_experts, 1, 1});
        const std::string first = name + "experts.0.";
        const bool alike = checkpoint_.tensor(first + "w1.weight").format ==
                           checkpoint_.tensor(first + "w3.weight").format;
        experts.weights.w1 = stack(name, alike ? Names{"w1", "w3"} : Names{"w1"}, slots);
        if (!alike) experts.weights.w3 = stack(name, {"w3"}, slots);
        experts.weights.w2 = stack(name, {"w2"}, slots);
        return experts;
    }

    using Names = std::vector<std::string>;

    // One weight of every expert, from the tensors of these names: rows of two alternate.
    WeightStack stack(const std::string& layer, const Names& names, const Tensor& slots) {
        const auto tensors = [&](std::uint32_t expert) {
            Names full;
            for (const std::string& name : names)
                full.push_back(layer + "experts." + std::to_string(expert) + "." + name +
                               ".weight");
            return full;
        };
        Weight weight = shape_of(tensors(0));
        const std::uint64_t slot_bytes = Uploader::aligned(weight.bytes());
        weight.address = uploader_.place(weights_.memory, slot_bytes * slots.rows());
        const WeightStack stack{weight, slot_bytes, slots};
        for (std::uint32_t expert = 0; expert < slots.rows(); ++expert) {
            matrix(tensors(expert), weight);
            weight.address += slot_bytes;
        }
        return stack;
    }

    // The weight that these tensors make together, nowhere yet.
    Weight shape_of(const Names& names) const {
        const FileTensor& tensor = checkpoint_.tensor(names.front());
        return {.address = 0,
                .out_dim = static_cast<std::uint32_t>(tensor.rows() * names.size()),
                .in_dim = static_cast<std::uint32_t>(tensor.columns()),
                .format = tensor.format};
    }

    Weight place_for(const Names& names) {
        Weight weight = shape_of(names);
        weight.address = uploader_.place(weights_.memory, weight.bytes());
        return weight;
    }

    Weight matrix(const Names& names, const Weight& weight, std::uint32_t head_dim = 0) {
        std::vector<const FileTensor*> tensors;
        for (const std::string& name : names) {
            tensors.push_back(&checkpoint_.tensor(name));
            if (tensors.back()->format != weight.format)
                throw Error(name + ": stored as " + std::string(info(tensors.back()->format).name) +
                            ", the other experts as " + std::string(info(weight.format).name));
        }
        uploader_.matrix(tensors, weight, head_dim);
        for (const FileTensor* tensor : tensors) release(tensor->data);
        weights_.matrices.push_back({names, weight});
        return weight;
    }

    Weight matrix(const std::string& name, std::uint32_t head_dim = 0) {
        return matrix(Names{name}, place_for({name}), head_dim);
    }

    Tensor vector(const std::string& name) {
        const FileTensor& tensor = checkpoint_.tensor(name);
        uploader_.count(tensor.data.size());
        return place<float>(norm_values(tensor),
                            {static_cast<std::uint32_t>(tensor.columns()), 1, 1});
    }

    template <class T>
    Tensor place(const std::vector<T>& values, std::array<std::uint32_t, 3> shape) {
        const Tensor to{uploader_.place(weights_.memory, values.size() * sizeof(T)), shape};
        uploader_.values(std::span<const T>(values), to);
        return to;
    }

    const Checkpoint& checkpoint_;
    const Config& config_;
    std::uint32_t context_;
    Weights weights_;
    Uploader uploader_;  // goes first: it waits for what still writes the weights
};

}  // namespace

std::vector<float> rope_angles(const Config& config, std::uint32_t context) {
    const std::uint32_t pairs = config.head_dim / 2;
    std::vector<float> frequencies(pairs), angles;
    for (std::uint32_t i = 0; i < pairs; ++i)
        frequencies[i] = 1 /
                         std::pow(config.rope_theta,
                                  static_cast<float>(2 * i) / static_cast<float>(config.head_dim)) /
                         config.rope_scaling_factor;
    angles.reserve(std::size_t{context} * config.head_dim);
    for (std::uint32_t position = 0; position < context; ++position)
        for (float frequency : frequencies) {
            const double angle = static_cast<float>(position) * frequency;
            angles.push_back(static_cast<float>(std::cos(angle)));
            angles.push_back(static_cast<float>(std::sin(angle)));
        }
    return angles;
}

std::optional<std::string> find_broken_weight(Stream& stream, const Weights& weights) {
    constexpr std::uint32_t rows_at_once = 1024;
    for (const auto& [names, weight] : weights.matrices)
        for (std::uint32_t first = 0; first < weight.out_dim; first += rows_at_once) {
            auto scratch = stream.scope();
            std::vector<std::uint32_t> rows(std::min(rows_at_once, weight.out_dim - first));
            std::iota(rows.begin(), rows.end(), first);
            std::vector<float> values(rows.size() * weight.in_dim);
            stream.download(
                ops::embed(stream, weight, stream.upload(std::span<const std::uint32_t>(rows))),
                std::span(values));
            stream.wait();
            const auto broken =
                std::ranges::find_if_not(values, [](float v) { return std::isfinite(v); });
            if (broken == values.end()) continue;
            const auto index = static_cast<std::size_t>(broken - values.begin());
            const std::size_t row = first + index / weight.in_dim;
            return names[row % names.size()] + ": row " + std::to_string(row / names.size()) +
                   ", column " + std::to_string(index % weight.in_dim) + " is " +
                   std::to_string(*broken);
        }
    return std::nullopt;
}

std::uint64_t weight_bytes(const Checkpoint& checkpoint, std::uint32_t context) {
    const Config& config = checkpoint.config();
    std::uint64_t bytes =
        Uploader::aligned(std::uint64_t{context} * config.head_dim * sizeof(float)) +
        config.num_hidden_layers *
            Uploader::aligned(std::uint64_t{config.num_local_experts} * sizeof(std::uint32_t));
    for (const FileTensor& tensor : checkpoint.tensors())
        bytes += tensor.shape.size() == 1 ? Uploader::aligned(tensor.columns() * sizeof(float))
                                          : padded_bytes(tensor);
    return bytes;
}

Weights load_weights(Device& device, const Checkpoint& checkpoint, std::uint32_t context,
                     const LoadProgress& progress) {
    return Loader(device, checkpoint, context, progress).load();
}

}  // namespace assay
