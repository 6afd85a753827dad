#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/formats/gguf.h"

namespace assay {

// What config.json says of a model, under its keys. GGUF metadata is translated into the same.
struct Config {
    std::string architecture;  // "MistralForCausalLM"
    std::uint32_t hidden_size = 4096;
    std::uint32_t intermediate_size = 0;
    std::uint32_t num_hidden_layers = 32;
    std::uint32_t num_attention_heads = 32;
    std::uint32_t num_key_value_heads = 0;
    std::uint32_t head_dim = 0;
    std::uint32_t vocab_size = 32000;  // rows of the embedding; the tokenizer may know fewer
    std::uint32_t max_position_embeddings = 0;
    std::uint32_t sliding_window = 0;  // keys a query sees, its own among them; 0: all before it
    float rms_norm_eps = 1e-6f;
    float rope_theta = 10000;
    float rope_scaling_factor = 1;  // linear scaling: positions are divided by it
    bool tie_word_embeddings = false;
    std::uint32_t bos_token_id = 1;
    std::vector<std::uint32_t> eos_token_ids{2};  // any of them ends a text
    std::uint32_t num_local_experts = 0;          // 0: dense
    std::uint32_t num_experts_per_tok = 0;
};

// A key of our own in the metadata of GGUF files: eos_token_ids, where there are several.
inline constexpr const char* eos_ids_key = "assay.eos_token_ids";

// Reads config.json, and eos_token_id from the generation_config.json beside it if there is one.
// Both spellings of rope's settings are read; absent keys have the values transformers gives them.
// Throws Error with path, key, value and what is allowed; the result is validated.
Config read_config(const std::filesystem::path& config_json);

// The same from the metadata of a GGUF file of architecture llama.
Config config_from_gguf(const GgufMetadata& metadata);

// Throws Error for a value that this engine cannot run or that no model has: one line beginning
// with `where`, with key, value and what is allowed.
void validate(const Config& config, const std::string& where);

}  // namespace assay
