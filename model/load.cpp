#include <algorithm>
#include <array>
#include <charconv>
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

const std::string layer_prefix = "model.layers.", embedding = "model.embed_tokens.weight";

// Whether a share of the model takes the tensor.
bool takes(const Share& share, const FileTensor& tensor, const Config& config) {
    const std::string_view name = tensor.name;
    if (name.starts_with(layer_prefix)) {
        std::uint32_t layer = 0;
        std::from_chars(name.data() + layer_prefix.size(), name.data() + name.size(), layer);
        return share.holds(layer, config);
    }
    if (name != embedding) return share.last(config);
    return share.first() || (config.tie_word_embeddings && share.last(config));
}

std::uint64_t file_bytes(const Checkpoint& checkpoint, const Share& share) {
    std::uint64_t bytes = 0;
    for (const FileTensor& tensor : checkpoint.tensors())
        if (takes(share, tensor, checkpoint.config())) bytes += tensor.data.size();
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

// What experts kept in host memory take: one after another the weights of an expert, w1 and w3
// first.
struct ExpertLayout {
    std::uint64_t w3 = 0, w2 = 0, bytes = 0;  // offsets; of all
};

std::uint64_t padded_bytes(const Checkpoint& checkpoint, const std::string& name) {
    return padded_bytes(checkpoint.tensor(name));
}

ExpertLayout expert_layout(const Checkpoint& checkpoint, std::uint32_t layer) {
    const std::string expert =
        "model.layers." + std::to_string(layer) + ".block_sparse_moe.experts.0.";
    ExpertLayout layout;
    layout.w3 = padded_bytes(checkpoint, expert + "w1.weight");
    layout.w2 = layout.w3 + padded_bytes(checkpoint, expert + "w3.weight");
    layout.bytes = layout.w2 + padded_bytes(checkpoint, expert + "w2.weight");
    return layout;
}

// Words of a layer's row in the table that says where its experts are: it can be bound by itself.
std::uint32_t table_words(const Config& config) {
    return static_cast<std::uint32_t>(Uploader::aligned(config.num_local_experts * 4ull) / 4);
}

// How slots are cut into pools, each of which serves some of the layers.
struct PoolPlan {
    std::uint32_t layers = 0;  // of the share, spread evenly over the pools
    std::uint32_t pools = 0, slots_each = 0, layers_each = 0 /* at most */;
    std::uint64_t slot_bytes = 0;
};

PoolPlan plan_pools(const Checkpoint& checkpoint, const Share& share) {
    const Config& config = checkpoint.config();
    PoolPlan plan;
    for (std::uint32_t layer = share.first_layer; layer < share.end(config); ++layer)
        plan.slot_bytes = std::max(plan.slot_bytes, expert_layout(checkpoint, layer).bytes);
    plan.layers = share.end(config) - share.first_layer;
    const std::uint32_t slots = std::clamp(share.expert_slots, config.num_local_experts,
                                           plan.layers * config.num_local_experts);
    // A step may want every expert of a layer at once, so a pool has that many slots at least.
    const auto most = static_cast<std::uint32_t>(std::max<std::uint64_t>(
        share.expert_pool_bytes / plan.slot_bytes, config.num_local_experts));
    // Layers whose part of the slots fills a pool.
    const auto layers_full = std::max<std::uint32_t>(
        static_cast<std::uint32_t>(std::uint64_t{most} * plan.layers / slots), 1);
    plan.pools =
        std::min((plan.layers + layers_full - 1) / layers_full, slots / config.num_local_experts);
    plan.layers_each = (plan.layers + plan.pools - 1) / plan.pools;
    plan.slots_each =
        std::min({slots / plan.pools, most, plan.layers_each * config.num_local_experts});
    return plan;
}

class Loader {
public:
    Loader(Device& device, const Checkpoint& checkpoint, std::uint32_t context, const Share& share,
           const LoadProgress& progress)
        : device_(device),
          checkpoint_(checkpoint),
          config_(checkpoint.config()),
          context_(context),
          share_(share),
          uploader_(device, file_bytes(checkpoint, share), progress) {
        uploader_.expect(weight_bytes(checkpoint, context, share).device);
    }

    Weights load() {
        if (share_.expert_slots != 0 && config_.num_local_experts != 0) make_pools();
        if (share_.first()) weights_.embedding = matrix(embedding);
        for (std::uint32_t i = share_.first_layer; i < share_.end(config_); ++i)
            weights_.layers.push_back(layer(i));
        if (share_.last(config_)) {
            weights_.norm = vector("model.norm.weight");
            weights_.output = !config_.tie_word_embeddings ? matrix("lm_head.weight")
                              : share_.first()             ? weights_.embedding
                                                           : matrix(embedding);
        }
        const std::vector<float> angles = rope_angles(config_, context_);
        weights_.angles = place<float>(angles, {context_, config_.head_dim / 2, 2});
        uploader_.finish();
        return std::move(weights_);
    }

private:
    Layer layer(std::uint32_t index) {
        const std::string name = "model.layers." + std::to_string(index) + ".";
        Layer layer{.attention_norm = vector(name + "input_layernorm.weight"),
                    .ffn_norm = vector(name + "post_attention_layernorm.weight"),
                    .attention = attention(name + "self_attn."),
                    .ffn = {}};
        if (config_.num_local_experts == 0)
            layer.ffn = feed_forward(name + "mlp.");
        else
            layer.ffn = experts(index, name + "block_sparse_moe.");
        return layer;
    }

    Attention attention(const std::string& name) {
        const std::uint32_t head_dim = checkpoint_.permuted_qk() ? config_.head_dim : 0;
        const auto [wq, wk, wv] = joined(std::array<Part, 3>{{{name + "q_proj.weight", head_dim},
                                                              {name + "k_proj.weight", head_dim},
                                                              {name + "v_proj.weight"}}});
        return {.wq = wq, .wk = wk, .wv = wv, .wo = matrix(name + "o_proj.weight")};
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
        Experts experts{
            .layer = layer, .gate = matrix(name + "gate.weight"), .weights = {}, .store = {}};
        if (weights_.pools.empty())
            place_experts(experts, name);
        else
            store_experts(experts, name);
        return experts;
    }

    using Names = std::vector<std::string>;

    // The tensors that make one weight of an expert.
    Names tensors(const std::string& layer, std::uint32_t expert, const Names& names) const {
        Names full;
        for (const std::string& name : names)
            full.push_back(layer + "experts." + std::to_string(expert) + "." + name + ".weight");
        return full;
    }

    // What w1 and w3 are made from; none for w3 where both are one.
    std::pair<Names, Names> gate_and_up(const std::string& layer) const {
        const auto format = [&](const char* name) {
            return checkpoint_.tensor(tensors(layer, 0, {name}).front()).format;
        };
        if (format("w1") == format("w3")) return {{"w1", "w3"}, {}};
        return {{"w1"}, {"w3"}};
    }

    // Every expert on the device.
    void place_experts(Experts& experts, const std::string& layer) {
        const std::uint32_t count = config_.num_local_experts;
        std::vector<std::uint32_t> each(count);
        std::iota(each.begin(), each.end(), 0u);
        const Tensor slots = place<std::uint32_t>(each, {count, 1, 1});
        const auto stack = [&](const Names& names) -> WeightStack {
            if (names.empty()) return {};
            Weight weight = shape_of(tensors(layer, 0, names));
            const std::uint64_t slot_bytes = Uploader::aligned(weight.bytes());
            weight.address = uploader_.place(weights_.memory, slot_bytes * count);
            fill(layer, names, weight, slot_bytes);
            return {weight, slot_bytes, slots};
        };
        const auto [w1, w3] = gate_and_up(layer);
        experts.weights = {.w1 = stack(w1), .w3 = stack(w3), .w2 = stack({"w2"})};
    }

    // Every expert in host memory, to be brought to slots of a pool.
    void store_experts(Experts& experts, const std::string& layer) {
        const std::uint32_t count = config_.num_local_experts;
        const ExpertLayout layout = expert_layout(checkpoint_, experts.layer);
        const std::uint32_t index = experts.layer - share_.first_layer;
        experts.pool = index * pools_.pools / pools_.layers;
        const std::uint32_t first_of_pool =
            (experts.pool * pools_.layers + pools_.pools - 1) / pools_.pools;
        experts.layer_in_pool = index - first_of_pool;
        const Buffer& store = weights_.host_memory.emplace_back(
            device_, layout.bytes * count, Memory::host,
            "experts of layer " + std::to_string(experts.layer) + " in host memory");
        experts.store = {store.address(), {count, static_cast<std::uint32_t>(layout.bytes / 4), 1}};

        const ops::ExpertPool& pool = weights_.pools[experts.pool];
        const auto stack = [&](const Names& names, std::uint64_t offset) -> WeightStack {
            if (names.empty()) return {};
            Weight weight = shape_of(tensors(layer, 0, names));
            weight.address = experts.store.address + offset;
            fill(layer, names, weight, layout.bytes);
            weight.address = pool.slots.address + offset;
            return {weight, pools_.slot_bytes,
                    Tensor{pool.slot_of.slice(experts.layer_in_pool, 1).address, {count, 1, 1}}};
        };
        const auto [w1, w3] = gate_and_up(layer);
        experts.weights = {
            .w1 = stack(w1, 0), .w3 = stack(w3, layout.w3), .w2 = stack({"w2"}, layout.w2)};
    }

    // One weight of every expert, slot_bytes apart from `weight` on.
    void fill(const std::string& layer, const Names& names, Weight weight,
              std::uint64_t slot_bytes) {
        for (std::uint32_t expert = 0; expert < config_.num_local_experts; ++expert) {
            matrix(tensors(layer, expert, names), weight);
            weight.address += slot_bytes;
        }
    }

    void make_pools() {
        pools_ = plan_pools(checkpoint_, share_);
        const std::uint32_t tables = pools_.layers_each * table_words(config_);
        const std::vector<std::uint32_t> nowhere(std::max(tables, pools_.slots_each),
                                                 shader::no_slot),
            zero(std::max(pools_.slots_each, 3u));
        const auto words = [&](const std::vector<std::uint32_t>& values, std::uint32_t count) {
            return place<std::uint32_t>({values.begin(), values.begin() + count}, {count, 1, 1});
        };
        for (std::uint32_t i = 0; i < pools_.pools; ++i) {
            const Tensor slots{
                uploader_.place(weights_.memory, pools_.slot_bytes * pools_.slots_each),
                {pools_.slots_each, static_cast<std::uint32_t>(pools_.slot_bytes / 4), 1}};
            Tensor slot_of = words(nowhere, tables);
            slot_of.shape = {pools_.layers_each, table_words(config_), 1};
            weights_.pools.push_back({.slots = slots,
                                      .slot_of = slot_of,
                                      .owner = words(nowhere, pools_.slots_each),
                                      .used = words(zero, pools_.slots_each),
                                      .counters = words(zero, 3)});
        }
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

    Weight matrix(const std::string& name) { return matrix(Names{name}, place_for({name})); }

    struct Part {
        std::string name;
        std::uint32_t head_dim = 0;  // as in ops::Rearranged
    };

    // One weight for each run of parts of one format, the first of the run: their rows one after
    // another. The others are empty.
    template <std::size_t count>
    std::array<Weight, count> joined(const std::array<Part, count>& parts) {
        std::array<Weight, count> weights{};
        for (std::size_t first = 0, end = 0; first < count; first = end) {
            Weight whole = shape_of({parts[first].name});
            for (end = first + 1; end < count; ++end) {
                const Weight part = shape_of({parts[end].name});
                const bool can_follow = whole.out_dim % panel_rows == 0 &&
                                        whole.bytes() == Uploader::aligned(whole.bytes());
                if (part.format != whole.format || !can_follow) break;
                whole.out_dim += part.out_dim;
            }
            whole.address = uploader_.place(weights_.memory, whole.bytes());
            weights[first] = whole;
            for (std::size_t i = first; i < end; ++i) {
                whole.out_dim = shape_of({parts[i].name}).out_dim;
                matrix(Names{parts[i].name}, whole, parts[i].head_dim);
                whole.address += whole.bytes();
            }
        }
        return weights;
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

    Device& device_;
    const Checkpoint& checkpoint_;
    const Config& config_;
    std::uint32_t context_;
    Share share_;
    PoolPlan pools_;
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

WeightBytes weight_bytes(const Checkpoint& checkpoint, std::uint32_t context, const Share& share) {
    const Config& config = checkpoint.config();
    const auto words = [](std::uint64_t count) { return Uploader::aligned(count * 4); };
    WeightBytes bytes{.device = words(std::uint64_t{context} * config.head_dim)};
    std::uint64_t small = 0;
    const bool on_host = share.expert_slots != 0 && config.num_local_experts != 0;
    for (const FileTensor& tensor : checkpoint.tensors()) {
        if (!takes(share, tensor, config)) continue;
        const bool expert = tensor.name.find(".experts.") != std::string::npos;
        const std::uint64_t size =
            tensor.shape.size() == 1 ? words(tensor.columns()) : padded_bytes(tensor);
        (on_host && expert ? bytes.host : bytes.device) += size;
        if (size <= Uploader::block_bytes / 8) small += size;
    }
    if (on_host) {
        const PoolPlan plan = plan_pools(checkpoint, share);
        bytes.expert_slot = plan.slot_bytes;
        bytes.expert_slots = plan.pools * plan.slots_each;
        bytes.device += plan.pools * (Uploader::aligned(plan.slots_each * plan.slot_bytes) +
                                      words(plan.layers_each * table_words(config)) +
                                      2 * words(plan.slots_each) + words(3));
    } else {
        bytes.device += (share.end(config) - share.first_layer) * words(config.num_local_experts);
    }
    // Blocks of small weights may end with room that is too small for the next one.
    if (bytes.device > Uploader::block_bytes) bytes.device += Uploader::block_bytes + small / 8;
    return bytes;
}

ExpertUse expert_use(Stream& stream, const Weights& weights) {
    ExpertUse use;
    for (const ops::ExpertPool& pool : weights.pools) {
        std::vector<std::uint32_t> counters(pool.counters.size());
        stream.download(pool.counters, std::span(counters));
        stream.wait();
        use.hits += counters[shader::counter_hits];
        use.misses += counters[shader::counter_misses];
    }
    return use;
}

Weights load_weights(Device& device, const Checkpoint& checkpoint, std::uint32_t context,
                     const Share& share, const LoadProgress& progress) {
    return Loader(device, checkpoint, context, share, progress).load();
}

}  // namespace assay
