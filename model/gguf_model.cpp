#include "model/gguf_model.h"

#include <algorithm>
#include <array>

#include "model/expected_weights.h"
#include "model/formats/json.h"
#include "runtime/error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// Said of a file by whoever writes it.
constexpr std::array<std::string_view, 6> not_copied{
    "general.alignment", "general.file_type", "general.quantization_version",
    "split.no",          "split.count",       "split.tensors.count"};

// What else a quantised file says of how it was made.
bool is_copied(std::string_view key) {
    return std::ranges::find(not_copied, key) == not_copied.end() &&
           !key.starts_with("quantize.imatrix.");
}

void describe_config(GgufWriter& to, const Config& c, const std::string& name) {
    to.add("general.architecture", std::string_view("llama"));
    to.add("general.type", std::string_view("model"));
    to.add("general.name", std::string_view(name));
    to.add("llama.block_count", c.num_hidden_layers);
    to.add("llama.context_length", c.max_position_embeddings);
    to.add("llama.embedding_length", c.hidden_size);
    to.add("llama.feed_forward_length", c.intermediate_size);
    to.add("llama.attention.head_count", c.num_attention_heads);
    to.add("llama.attention.head_count_kv", c.num_key_value_heads);
    to.add("llama.attention.key_length", c.head_dim);
    to.add("llama.attention.value_length", c.head_dim);
    to.add("llama.attention.layer_norm_rms_epsilon", c.rms_norm_eps);
    if (c.sliding_window != 0) to.add("llama.attention.sliding_window", c.sliding_window);
    to.add("llama.rope.dimension_count", c.head_dim);
    to.add("llama.rope.freq_base", c.rope_theta);
    if (c.rope_scaling_factor != 1) {
        to.add("llama.rope.scaling.type", std::string_view("linear"));
        to.add("llama.rope.scaling.factor", c.rope_scaling_factor);
    }
    to.add("llama.vocab_size", c.vocab_size);
    if (c.num_local_experts != 0) {
        to.add("llama.expert_count", c.num_local_experts);
        to.add("llama.expert_used_count", c.num_experts_per_tok);
    }
}

void describe_tokenizer(GgufWriter& to, const Config& config, const Vocabulary& vocabulary) {
    to.add("tokenizer.ggml.model", std::string_view("llama"));
    to.add("tokenizer.ggml.pre", std::string_view("default"));
    to.add("tokenizer.ggml.tokens", std::span<const std::string>(vocabulary.pieces));
    to.add("tokenizer.ggml.scores", std::span<const float>(vocabulary.scores));
    to.add("tokenizer.ggml.token_type", std::span<const std::int32_t>(vocabulary.types));
    to.add("tokenizer.ggml.bos_token_id", config.bos_token_id);
    to.add("tokenizer.ggml.eos_token_id", config.eos_token_ids.front());
    // GGUF has a key for one alone.
    const std::vector<std::int32_t> ends(config.eos_token_ids.begin(), config.eos_token_ids.end());
    if (ends.size() > 1) to.add(eos_ids_key, std::span<const std::int32_t>(ends));
    to.add("tokenizer.ggml.unknown_token_id", vocabulary.unknown_id);
    to.add("tokenizer.ggml.add_bos_token", true);
    to.add("tokenizer.ggml.add_eos_token", false);
    to.add("tokenizer.ggml.add_space_prefix", vocabulary.adds_space_prefix);
}

void describe_chat_template(GgufWriter& to, const fs::path& tokenizer_config) {
    if (!fs::exists(tokenizer_config)) return;
    const MappedFile file(tokenizer_config);
    const auto content = parse_json_object(tokenizer_config.string(), file.text());
    const auto found = content.find("chat_template");
    if (found != content.end() && found->is_string())
        to.add("tokenizer.chat_template", std::string_view(found->get_ref<const std::string&>()));
}

}  // namespace

// Places 2i and 2i + 1 of a head take its rows i and i + head_dim / 2: see unpermuted_row.
std::uint64_t GgufTensor::source_row(std::uint64_t row) const {
    if (head_dim == 0) return row;
    const std::uint64_t in_head = row % head_dim;
    return row - in_head + in_head / 2 + in_head % 2 * (head_dim / 2);
}

std::vector<GgufTensor> gguf_tensors(const Checkpoint& checkpoint) {
    const Config& config = checkpoint.config();
    std::vector<GgufTensor> tensors;
    for_each_weight(config, [&](const std::string& name) {
        const FileTensor& part = checkpoint.tensor(name);
        std::string new_name = gguf_name(name, config);
        if (tensors.empty() || tensors.back().name != new_name) {
            const bool turns = name.ends_with("q_proj.weight") || name.ends_with("k_proj.weight");
            const bool interleave = turns && !checkpoint.permuted_qk();
            tensors.push_back(
                {std::move(new_name), part.shape, {}, interleave ? config.head_dim : 0});
            if (tensors.back().name.find("_exps.") != std::string::npos)
                tensors.back().shape.insert(tensors.back().shape.begin(), config.num_local_experts);
        }
        tensors.back().parts.push_back(part);
    });
    return tensors;
}

void describe(const Checkpoint& checkpoint, GgufWriter& writer) {
    if (const GgufMetadata* metadata = checkpoint.gguf()) {
        for (const auto& [key, type_and_value] : metadata->pairs())
            if (is_copied(key)) writer.add_encoded(key, type_and_value);
        return;
    }
    const Config& config = checkpoint.config();
    describe_config(writer, config, checkpoint.name());
    if (fs::exists(checkpoint.path() / "tokenizer.model"))
        describe_tokenizer(writer, config, checkpoint.tokenizer().vocabulary());
    else
        writer.add("tokenizer.ggml.model", std::string_view("no_vocab"));
    describe_chat_template(writer, checkpoint.path() / "tokenizer_config.json");
}

void describe(const Config& config, const std::string& name, const Vocabulary& vocabulary,
              GgufWriter& writer) {
    describe_config(writer, config, name);
    describe_tokenizer(writer, config, vocabulary);
}

}  // namespace assay
