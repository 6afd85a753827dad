#include "tests/support/tiny_model.h"

#include <array>
#include <cmath>
#include <fstream>

#include "tests/support/random.h"

namespace assay::test {
namespace {

std::vector<std::size_t> shape_of(const TinyModel& model, const std::string& name) {
    const auto size = [&](const char* key) { return model.config.at(key).get<std::size_t>(); };
    const std::size_t hidden = size("hidden_size"), inner = size("intermediate_size"),
                      vocabulary = size("vocab_size");
    const std::size_t heads = size("num_attention_heads") * size("head_dim"),
                      kv_heads = size("num_key_value_heads") * size("head_dim");
    if (name.ends_with("norm.weight")) return {hidden};
    if (name.ends_with("moe.gate.weight")) return {size("num_local_experts"), hidden};
    if (name.ends_with("w2.weight")) return {hidden, inner};
    if (name.ends_with("w1.weight") || name.ends_with("w3.weight")) return {inner, hidden};
    if (name.ends_with("q_proj.weight")) return {heads, hidden};
    if (name.ends_with("k_proj.weight") || name.ends_with("v_proj.weight"))
        return {kv_heads, hidden};
    if (name.ends_with("o_proj.weight")) return {hidden, heads};
    if (name.ends_with("down_proj.weight")) return {hidden, inner};
    if (name.ends_with("gate_proj.weight") || name.ends_with("up_proj.weight"))
        return {inner, hidden};
    return {vocabulary, hidden};
}

std::size_t experts_of(const TinyModel& model) {
    return model.config.value("num_local_experts", std::size_t{0});
}

std::string layer_prefix(int layer) { return "model.layers." + std::to_string(layer) + "."; }

std::vector<std::string> names_of(const TinyModel& model) {
    std::vector<std::string> names{"model.embed_tokens.weight", "model.norm.weight"};
    if (!model.config.at("tie_word_embeddings").get<bool>()) names.emplace_back("lm_head.weight");
    for (int layer = 0; layer < model.config.at("num_hidden_layers").get<int>(); ++layer) {
        const auto add = [&](const std::string& part) {
            names.push_back(layer_prefix(layer) + part + ".weight");
        };
        for (const char* part : {"input_layernorm", "post_attention_layernorm", "self_attn.q_proj",
                                 "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"})
            add(part);
        if (experts_of(model) == 0)
            for (const char* part : {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) add(part);
        else
            add("block_sparse_moe.gate");
        for (std::size_t expert = 0; expert < experts_of(model); ++expert)
            for (const char* part : {"w1", "w2", "w3"})
                add("block_sparse_moe.experts." + std::to_string(expert) + "." + part);
    }
    return names;
}

// A tensor as a file holds it.
struct Stored {
    std::vector<std::size_t> shape;  // outermost first
    std::vector<float> values;
};
using StoredTensors = std::map<std::string, Stored>;

StoredTensors stored_singly(const TinyModel& model) {
    StoredTensors tensors;
    for (const auto& [name, values] : model.weights)
        tensors[name] = {shape_of(model, name), values};
    return tensors;
}

// Takes the matrices `parts` of all experts of a layer out of `tensors`, as one tensor.
Stored take_stack(StoredTensors& tensors, int layer, std::size_t experts,
                  const std::vector<std::string>& parts) {
    Stored stack;
    for (std::size_t expert = 0; expert < experts; ++expert)
        for (const std::string& part : parts) {
            const auto node = tensors.extract(layer_prefix(layer) + "block_sparse_moe.experts." +
                                              std::to_string(expert) + "." + part + ".weight");
            const Stored& matrix = node.mapped();
            stack.shape = {experts, parts.size() * matrix.shape[0], matrix.shape[1]};
            stack.values.insert(stack.values.end(), matrix.values.begin(), matrix.values.end());
        }
    return stack;
}

void rename(StoredTensors& tensors, const std::string& from, const std::string& to) {
    auto node = tensors.extract(from);
    if (node.empty()) return;
    node.key() = to;
    tensors.insert(std::move(node));
}

// As transformers 5 holds them.
void stack_experts(StoredTensors& tensors, const TinyModel& model) {
    for (int layer = 0; layer < model.config.at("num_hidden_layers").get<int>(); ++layer) {
        const std::string mlp = layer_prefix(layer) + "mlp.";
        const std::size_t experts = experts_of(model);
        tensors[mlp + "experts.gate_up_proj"] = take_stack(tensors, layer, experts, {"w1", "w3"});
        tensors[mlp + "experts.down_proj"] = take_stack(tensors, layer, experts, {"w2"});
        rename(tensors, layer_prefix(layer) + "block_sparse_moe.gate.weight", mlp + "gate.weight");
    }
}

constexpr std::array<std::pair<const char*, const char*>, 10> gguf_layer_names{{
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"block_sparse_moe.gate", "ffn_gate_inp"},
}};
constexpr std::array<std::pair<const char*, const char*>, 3> gguf_expert_names{{
    {"w1", "ffn_gate"},
    {"w2", "ffn_down"},
    {"w3", "ffn_up"},
}};

// Interleaves the halves of every head: its row j * half + i becomes 2 * i + j.
void interleave_heads(Stored& matrix, std::size_t head_dim) {
    const Stored plain = matrix;
    const std::size_t columns = matrix.shape[1], half = head_dim / 2;
    for (std::size_t row = 0; row < matrix.shape[0]; ++row) {
        const std::size_t in_head = row % head_dim,
                          to = row - in_head + in_head % half * 2 + in_head / half;
        for (std::size_t i = 0; i < columns; ++i)
            matrix.values[to * columns + i] = plain.values[row * columns + i];
    }
}

StoredTensors stored_as_gguf(const TinyModel& model, Experts experts) {
    StoredTensors tensors = stored_singly(model);
    rename(tensors, "model.embed_tokens.weight", "token_embd.weight");
    rename(tensors, "model.norm.weight", "output_norm.weight");
    rename(tensors, "lm_head.weight", "output.weight");
    for (int layer = 0; layer < model.config.at("num_hidden_layers").get<int>(); ++layer) {
        const std::string block = "blk." + std::to_string(layer) + ".";
        for (const auto& [name, gguf_name] : gguf_layer_names)
            rename(tensors, layer_prefix(layer) + name + ".weight", block + gguf_name + ".weight");
        for (const char* name : {"attn_q.weight", "attn_k.weight"})
            interleave_heads(tensors.at(block + name), model.config.at("head_dim"));
        if (experts_of(model) == 0) continue;
        for (const auto& [part, gguf_name] : gguf_expert_names) {
            if (experts == Experts::stacked)
                tensors[block + gguf_name + "_exps.weight"] =
                    take_stack(tensors, layer, experts_of(model), {part});
            for (std::size_t e = 0; e < experts_of(model); ++e)
                rename(tensors,
                       layer_prefix(layer) + "block_sparse_moe.experts." + std::to_string(e) + "." +
                           part + ".weight",
                       block + gguf_name + "." + std::to_string(e) + ".weight");
        }
    }
    return tensors;
}

GgufBuilder gguf_metadata(const nlohmann::json& config) {
    GgufBuilder file;
    file.add("general.architecture", "llama");
    for (const auto& [key, gguf_key] : {std::pair{"max_position_embeddings", "context_length"},
                                        {"hidden_size", "embedding_length"},
                                        {"intermediate_size", "feed_forward_length"},
                                        {"num_hidden_layers", "block_count"},
                                        {"num_attention_heads", "attention.head_count"},
                                        {"num_key_value_heads", "attention.head_count_kv"},
                                        {"head_dim", "attention.key_length"},
                                        {"head_dim", "attention.value_length"},
                                        {"sliding_window", "attention.sliding_window"},
                                        {"vocab_size", "vocab_size"},
                                        {"num_local_experts", "expert_count"},
                                        {"num_experts_per_tok", "expert_used_count"}})
        if (config.contains(key) && !config.at(key).is_null())
            file.add("llama." + std::string(gguf_key), config.at(key).get<std::uint32_t>());
    file.add("llama.attention.layer_norm_rms_epsilon", config.at("rms_norm_eps").get<float>());
    file.add("llama.rope.freq_base", config.at("rope_theta").get<float>());
    return file;
}

}  // namespace

TinyModel make_tiny_model(const nlohmann::json& changes, std::uint32_t seed) {
    TinyModel model;
    model.config = {{"architectures", {"MistralForCausalLM"}},
                    {"model_type", "mistral"},
                    {"hidden_size", 64},
                    {"intermediate_size", 96},
                    {"num_hidden_layers", 2},
                    {"num_attention_heads", 4},
                    {"num_key_value_heads", 2},
                    {"head_dim", 16},
                    {"vocab_size", 300},
                    {"max_position_embeddings", 512},
                    {"rms_norm_eps", 1e-5},
                    {"rope_theta", 10000.0},
                    {"sliding_window", nullptr},
                    {"tie_word_embeddings", false},
                    {"hidden_act", "silu"},
                    {"bos_token_id", 1},
                    {"eos_token_id", 2},
                    {"torch_dtype", "float32"}};
    model.config.update(changes);

    Random random(seed);
    for (const std::string& name : names_of(model)) {
        std::size_t size = 1;
        const auto shape = shape_of(model, name);
        for (std::size_t s : shape) size *= s;
        auto& values = model.weights[name];
        // Rows of unit length keep activations near 1; norms vary around 1.
        values = random.normals(
            size, shape.size() == 1 ? 0.1 : 1 / std::sqrt(static_cast<double>(shape.back())));
        if (shape.size() == 1)
            for (float& v : values) v += 1;
    }
    return model;
}

void write_checkpoint(const TinyModel& model, const std::filesystem::path& folder,
                      Experts experts) {
    StoredTensors tensors = stored_singly(model);
    if (experts == Experts::stacked) stack_experts(tensors, model);
    nlohmann::json header;
    std::string data;
    for (const auto& [name, tensor] : tensors) {
        const std::size_t begin = data.size();
        data.append(reinterpret_cast<const char*>(tensor.values.data()),
                    tensor.values.size() * sizeof(float));
        header[name] = {
            {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = text.size();
    std::ofstream weights(folder / "model.safetensors", std::ios::binary);
    weights.write(reinterpret_cast<const char*>(&length), sizeof length) << text << data;
    std::ofstream(folder / "config.json") << model.config.dump(1);
}

GgufBuilder gguf_of(const TinyModel& model, Experts experts) {
    GgufBuilder file = gguf_metadata(model.config);
    for (const auto& [name, tensor] : stored_as_gguf(model, experts)) {
        const std::string bytes(reinterpret_cast<const char*>(tensor.values.data()),
                                tensor.values.size() * sizeof(float));
        file.add_tensor(name, {tensor.shape.rbegin(), tensor.shape.rend()}, 0, bytes);
    }
    return file;
}

}  // namespace assay::test
