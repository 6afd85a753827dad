#include "tests/support/tiny_model.h"

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
    if (name.ends_with("q_proj.weight")) return {heads, hidden};
    if (name.ends_with("k_proj.weight") || name.ends_with("v_proj.weight"))
        return {kv_heads, hidden};
    if (name.ends_with("o_proj.weight")) return {hidden, heads};
    if (name.ends_with("down_proj.weight")) return {hidden, inner};
    if (name.ends_with("gate_proj.weight") || name.ends_with("up_proj.weight"))
        return {inner, hidden};
    return {vocabulary, hidden};
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

    std::vector<std::string> names{"model.embed_tokens.weight", "model.norm.weight"};
    if (!model.config.at("tie_word_embeddings").get<bool>()) names.emplace_back("lm_head.weight");
    for (int layer = 0; layer < model.config.at("num_hidden_layers").get<int>(); ++layer)
        for (const char* part : {"input_layernorm", "post_attention_layernorm", "self_attn.q_proj",
                                 "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                                 "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
            names.push_back("model.layers." + std::to_string(layer) + "." + part + ".weight");
    Random random(seed);
    for (const std::string& name : names) {
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

void write_checkpoint(const TinyModel& model, const std::filesystem::path& folder) {
    nlohmann::json header;
    std::string data;
    for (const auto& [name, values] : model.weights) {
        const std::size_t begin = data.size();
        data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
        header[name] = {{"dtype", "F32"},
                        {"shape", shape_of(model, name)},
                        {"data_offsets", {begin, data.size()}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = text.size();
    std::ofstream weights(folder / "model.safetensors", std::ios::binary);
    weights.write(reinterpret_cast<const char*>(&length), sizeof length) << text << data;
    std::ofstream(folder / "config.json") << model.config.dump(1);
}

}  // namespace assay::test
