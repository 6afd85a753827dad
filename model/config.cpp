#include "model/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "model/formats/json.h"
#include "runtime/error.h"

namespace assay {
namespace {

using nlohmann::json;

std::string number(std::uint64_t value) { return std::to_string(value); }

// The shortest text that reads back equal.
std::string real_text(float value) {
    std::array<char, 32> text;
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

struct Architecture {
    std::string_view name, model_type;
    // What transformers fills in where config.json is silent.
    std::uint32_t intermediate_size, num_key_value_heads /* 0: one per head */;
    std::uint32_t max_position_embeddings, sliding_window;
    bool has_window = true;  // whether the key sliding_window means anything
    float rms_norm_eps = 1e-6f, rope_theta = 10000;
    std::uint32_t num_local_experts = 0, num_experts_per_tok = 0;  // 0: has none
};

constexpr std::array architectures{
    Architecture{"LlamaForCausalLM", "llama", 11008, 0, 2048, 0, false},
    Architecture{"MistralForCausalLM", "mistral", 14336, 8, 131072, 4096},
    Architecture{"MixtralForCausalLM", "mixtral", 14336, 8, 131072, 0, true, 1e-5f, 1e6f, 8, 2},
};

std::string supported_architectures() {
    std::string names;
    for (const Architecture& a : architectures)
        names += (names.empty() ? "" : ", ") + std::string(a.name);
    return names;
}

const Architecture& find_architecture(const std::string& where, std::string_view name,
                                      std::string_view Architecture::*key) {
    const auto found = std::ranges::find(architectures, name, key);
    if (found == architectures.end())
        throw Error(where + printable(name) + " is not supported, but " +
                    supported_architectures() + " are");
    return *found;
}

// ---- config.json

// An object of config.json whose members are read by type; absent and null are the same.
class Settings {
public:
    Settings(std::string where, const json& object) : where_(std::move(where)), object_(object) {
        if (!object.is_object()) throw Error(where_ + printable(object.dump()) + ", not an object");
    }

    // The text an error about this key begins with.
    std::string where(std::string_view key) const { return where_ + std::string(key) + ": "; }

    const json* find(std::string_view key) const {
        const auto found = object_.find(key);
        return found == object_.end() || found->is_null() ? nullptr : &*found;
    }

    [[noreturn]] void fail(std::string_view key, const std::string& allowed) const {
        throw Error(where(key) + printable(object_.at(std::string(key)).dump()) + ", " + allowed);
    }

    std::uint32_t count(std::string_view key, std::uint32_t otherwise) const {
        const json* value = find(key);
        if (!value) return otherwise;
        if (!value->is_number_unsigned() || value->get<std::uint64_t>() > UINT32_MAX)
            fail(key, "a whole number below 2^32 is needed");
        return value->get<std::uint32_t>();
    }

    std::optional<float> real(std::string_view key) const {
        const json* value = find(key);
        if (!value) return std::nullopt;
        if (!value->is_number()) fail(key, "a number is needed");
        return static_cast<float>(value->get<double>());
    }

    bool flag(std::string_view key, bool otherwise) const {
        const json* value = find(key);
        if (!value) return otherwise;
        if (!value->is_boolean()) fail(key, "true or false is needed");
        return value->get<bool>();
    }

    std::optional<std::string> text(std::string_view key) const {
        const json* value = find(key);
        if (!value) return std::nullopt;
        if (!value->is_string()) fail(key, "a string is needed");
        return value->get<std::string>();
    }

    // One number or a list of them.
    std::optional<std::vector<std::uint32_t>> ids(std::string_view key) const {
        const json* value = find(key);
        if (!value) return std::nullopt;
        if (!value->is_array()) return std::vector{count(key, 0)};
        std::vector<std::uint32_t> ids;
        for (const json& id : *value) {
            if (!id.is_number_unsigned() || id.get<std::uint64_t>() > UINT32_MAX)
                fail(key, "token ids are needed");
            ids.push_back(id.get<std::uint32_t>());
        }
        if (ids.empty()) fail(key, "at least one id is needed");
        return ids;
    }

private:
    std::string where_;
    const json& object_;
};

const Architecture& architecture_of(const Settings& settings) {
    const json* names = settings.find("architectures");
    if (names && names->is_array() && names->size() == 1 && names->front().is_string())
        return find_architecture(settings.where("architectures"),
                                 names->front().get_ref<const std::string&>(), &Architecture::name);
    if (names) settings.fail("architectures", "a list of one name is needed");
    if (const auto type = settings.text("model_type"))
        return find_architecture(settings.where("model_type"), *type, &Architecture::model_type);
    throw Error(settings.where("architectures") + "is absent, and so is model_type");
}

// Settings that change the arithmetic and have one supported value; null refuses any.
void check_fixed(const Settings& settings) {
    static const std::array<std::pair<std::string_view, json>, 5> fixed{{
        {"hidden_act", "silu"},
        {"attention_bias", false},
        {"mlp_bias", false},
        {"partial_rotary_factor", 1.0},
        {"quantization_config", nullptr},
    }};
    for (const auto& [key, allowed] : fixed)
        if (const json* value = settings.find(key); value && *value != allowed)
            settings.fail(key, "only " + allowed.dump() + " is supported");
}

// Sets a value that more than one place may state; the places must agree.
void set_once(std::optional<float>& value, std::optional<float> stated, const std::string& where) {
    if (!stated) return;
    if (value && *value != *stated)
        throw Error(where + real_text(*stated) + ", but " + real_text(*value) +
                    " elsewhere in the file");
    value = stated;
}

// transformers 4 writes rope_theta and rope_scaling, transformers 5 rope_parameters.
void read_rope(const Settings& settings, Config& config) {
    std::optional<float> theta = settings.real("rope_theta"), factor;
    for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
        const json* value = settings.find(key);
        if (!value) continue;
        const Settings rope(settings.where(key), *value);
        set_once(theta, rope.real("rope_theta"), rope.where("rope_theta"));
        const std::string_view type_key = rope.find("rope_type") ? "rope_type" : "type";
        const std::string type = rope.text(type_key).value_or("default");
        if (type == "default") continue;
        if (type != "linear") rope.fail(type_key, "only default and linear are supported");
        if (!rope.find("factor")) throw Error(rope.where("factor") + "is absent, linear needs it");
        set_once(factor, rope.real("factor"), rope.where("factor"));
    }
    config.rope_theta = theta.value_or(config.rope_theta);
    config.rope_scaling_factor = factor.value_or(1.0f);
}

// The other keys of experts (router_jitter_noise, router_aux_loss_coef, output_router_logits) are
// for training and inspection. transformers reads num_experts as num_local_experts.
void read_experts(const Settings& settings, const Architecture& architecture, Config& config) {
    if (architecture.num_local_experts == 0) return;
    const bool other_key = settings.find("num_experts") && !settings.find("num_local_experts");
    const char* key = other_key ? "num_experts" : "num_local_experts";
    config.num_local_experts = settings.count(key, architecture.num_local_experts);
    if (config.num_local_experts == 0) settings.fail(key, "at least one is needed");
    config.num_experts_per_tok =
        settings.count("num_experts_per_tok", architecture.num_experts_per_tok);
}

// What generate() in transformers stops at: generation_config.json, where there is one.
void read_generation_config(const std::filesystem::path& path, Config& config) {
    if (!std::filesystem::exists(path)) return;
    const MappedFile file(path);
    const json content = parse_json_object(path.string(), file.text());
    const Settings settings(path.string() + ": ", content);
    if (const auto ids = settings.ids("eos_token_id")) config.eos_token_ids = *ids;
}

// ---- GGUF

std::uint32_t gguf_count(const GgufMetadata& metadata, const std::string& key,
                         std::optional<std::uint32_t> otherwise = std::nullopt) {
    const auto value = metadata.find<std::uint64_t>(key);
    if (!value && otherwise) return *otherwise;
    const auto count = metadata.get<std::uint64_t>(key);
    if (count > UINT32_MAX)
        throw Error(metadata.path() + ": " + key + ": " + number(count) +
                    ", a number below 2^32 is needed");
    return static_cast<std::uint32_t>(count);
}

float gguf_float(const GgufMetadata& metadata, const std::string& key, double otherwise) {
    return static_cast<float>(metadata.find<double>(key).value_or(otherwise));
}

// The key must be absent or say the same as head_dim.
void check_head_dim(const GgufMetadata& metadata, const std::string& key, std::uint32_t head_dim) {
    const std::uint32_t value = gguf_count(metadata, key, head_dim);
    if (value != head_dim)
        throw Error(metadata.path() + ": " + key + ": " + number(value) + ", only the head size " +
                    number(head_dim) + " is supported");
}

float gguf_rope_factor(const GgufMetadata& metadata) {
    const std::string type_key = "llama.rope.scaling.type";
    const auto type = metadata.find<std::string>(type_key).value_or("linear");
    if (type == "none") return 1;
    if (type != "linear")
        throw Error(metadata.path() + ": " + type_key + ": " + printable(type) +
                    ", only none and linear are supported");
    const float old_key = gguf_float(metadata, "llama.rope.scale_linear", 0);
    const float factor = gguf_float(metadata, "llama.rope.scaling.factor", old_key);
    return factor == 0 ? 1 : factor;  // llama.cpp takes 0 for absent
}

std::uint32_t gguf_vocab_size(const GgufMetadata& metadata) {
    const std::string tokens = "tokenizer.ggml.tokens";
    if (!metadata.contains(tokens)) return gguf_count(metadata, "llama.vocab_size");
    return static_cast<std::uint32_t>(metadata.get<std::vector<std::string>>(tokens).size());
}

// ---- limits

struct Limit {
    std::string_view key;
    std::uint32_t Config::*value;
    std::uint32_t least, most, multiple_of;
};

// Upper limits are several times what any published model has.
constexpr std::array limits{
    Limit{"hidden_size", &Config::hidden_size, 32, 65536, 32},
    Limit{"intermediate_size", &Config::intermediate_size, 32, 1u << 20, 32},
    Limit{"num_hidden_layers", &Config::num_hidden_layers, 1, 1024, 1},
    Limit{"num_attention_heads", &Config::num_attention_heads, 1, 1024, 1},
    Limit{"num_key_value_heads", &Config::num_key_value_heads, 1, 1024, 1},
    Limit{"head_dim", &Config::head_dim, 8, 256, 8},
    Limit{"vocab_size", &Config::vocab_size, 1, 1u << 22, 1},
    Limit{"max_position_embeddings", &Config::max_position_embeddings, 1, 1u << 24, 1},
    Limit{"sliding_window", &Config::sliding_window, 0, 1u << 24, 1},
    Limit{"num_local_experts", &Config::num_local_experts, 0, 1024, 1},
};

void check_limit(const Config& config, const Limit& limit, const std::string& where) {
    const std::uint32_t value = config.*limit.value;
    if (value >= limit.least && value <= limit.most && value % limit.multiple_of == 0) return;
    const std::string kind =
        limit.multiple_of == 1 ? "values" : "multiples of " + number(limit.multiple_of);
    throw Error(where + ": " + std::string(limit.key) + ": " + number(value) + ", allowed are " +
                kind + " from " + number(limit.least) + " to " + number(limit.most));
}

void check_heads(const Config& c, const std::string& where) {
    if (c.num_attention_heads % c.num_key_value_heads != 0)
        throw Error(where + ": num_attention_heads: " + number(c.num_attention_heads) +
                    ", a multiple of num_key_value_heads " + number(c.num_key_value_heads) +
                    " is needed");
    for (const std::uint32_t heads : {c.num_attention_heads, c.num_key_value_heads}) {
        const std::uint32_t size = heads * c.head_dim;
        if (size % 32 != 0)
            throw Error(where + ": head_dim: " + number(c.head_dim) + " times " + number(heads) +
                        " heads is " + number(size) + ", a multiple of 32 is needed");
    }
}

void check_experts(const Config& c, const std::string& where) {
    const std::uint32_t least = c.num_local_experts == 0 ? 0 : 1;
    if (c.num_experts_per_tok < least || c.num_experts_per_tok > c.num_local_experts)
        throw Error(where + ": num_experts_per_tok: " + number(c.num_experts_per_tok) +
                    ", allowed are values from " + number(least) + " to num_local_experts " +
                    number(c.num_local_experts));
}

void check_real(std::string_view key, float value, float most, const std::string& where) {
    if (std::isfinite(value) && value > 0 && value <= most) return;
    const std::string text = std::isfinite(value) ? real_text(value) : "not a finite number";
    throw Error(where + ": " + std::string(key) + ": " + text + ", allowed are values above 0 to " +
                real_text(most));
}

void check_token(std::string_view key, std::uint32_t id, const Config& config,
                 const std::string& where) {
    if (id >= config.vocab_size)
        throw Error(where + ": " + std::string(key) + ": " + number(id) + ", vocab_size is " +
                    number(config.vocab_size));
}

}  // namespace

Config read_config(const std::filesystem::path& config_json) {
    const std::string path = config_json.string();
    const MappedFile file(config_json);
    const json content = parse_json_object(path, file.text());
    const Settings settings(path + ": ", content);
    const Architecture& architecture = architecture_of(settings);
    check_fixed(settings);

    Config c;
    c.architecture = architecture.name;
    c.hidden_size = settings.count("hidden_size", c.hidden_size);
    c.intermediate_size = settings.count("intermediate_size", architecture.intermediate_size);
    c.num_hidden_layers = settings.count("num_hidden_layers", c.num_hidden_layers);
    c.num_attention_heads = settings.count("num_attention_heads", c.num_attention_heads);
    c.vocab_size = settings.count("vocab_size", c.vocab_size);
    c.max_position_embeddings =
        settings.count("max_position_embeddings", architecture.max_position_embeddings);
    c.rms_norm_eps = settings.real("rms_norm_eps").value_or(architecture.rms_norm_eps);
    c.tie_word_embeddings = settings.flag("tie_word_embeddings", c.tie_word_embeddings);
    c.bos_token_id = settings.count("bos_token_id", c.bos_token_id);
    c.eos_token_ids = settings.ids("eos_token_id").value_or(c.eos_token_ids);

    // Here transformers distinguishes null from absent.
    const bool states_heads = content.contains("num_key_value_heads");
    const std::uint32_t heads = architecture.num_key_value_heads;
    c.num_key_value_heads = settings.count(
        "num_key_value_heads", states_heads || heads == 0 ? c.num_attention_heads : heads);
    if (architecture.has_window)
        c.sliding_window = settings.count(
            "sliding_window", content.contains("sliding_window") ? 0 : architecture.sliding_window);
    c.head_dim = settings.count("head_dim", c.hidden_size / std::max(c.num_attention_heads, 1u));

    c.rope_theta = architecture.rope_theta;
    read_rope(settings, c);
    read_experts(settings, architecture, c);
    read_generation_config(config_json.parent_path() / "generation_config.json", c);
    validate(c, path);
    return c;
}

Config config_from_gguf(const GgufMetadata& metadata) {
    const std::string architecture = metadata.get<std::string>("general.architecture");
    if (architecture != "llama")
        throw Error(metadata.path() + ": general.architecture: " + printable(architecture) +
                    ", only llama is supported");
    const auto count = [&](const char* key, std::optional<std::uint32_t> otherwise = {}) {
        return gguf_count(metadata, "llama." + std::string(key), otherwise);
    };

    Config c;
    c.num_local_experts = count("expert_count", 0);
    c.num_experts_per_tok = c.num_local_experts == 0 ? 0 : count("expert_used_count");
    c.architecture = c.num_local_experts == 0 ? "LlamaForCausalLM" : "MixtralForCausalLM";
    c.max_position_embeddings = count("context_length");
    c.hidden_size = count("embedding_length");
    c.intermediate_size = count("feed_forward_length");
    c.num_hidden_layers = count("block_count");
    c.num_attention_heads = count("attention.head_count");
    c.num_key_value_heads = count("attention.head_count_kv", c.num_attention_heads);
    c.head_dim = count("attention.key_length", c.hidden_size / std::max(c.num_attention_heads, 1u));
    c.sliding_window = count("attention.sliding_window", 0);
    c.rms_norm_eps =
        static_cast<float>(metadata.get<double>("llama.attention.layer_norm_rms_epsilon"));
    c.rope_theta = gguf_float(metadata, "llama.rope.freq_base", 10000);
    c.rope_scaling_factor = gguf_rope_factor(metadata);
    c.vocab_size = gguf_vocab_size(metadata);
    c.bos_token_id = gguf_count(metadata, "tokenizer.ggml.bos_token_id", c.bos_token_id);
    c.eos_token_ids = {gguf_count(metadata, "tokenizer.ggml.eos_token_id", 2)};
    const auto ends = metadata.find<std::vector<std::int64_t>>(eos_ids_key);
    if (ends && !ends->empty()) c.eos_token_ids.assign(ends->begin(), ends->end());
    check_head_dim(metadata, "llama.attention.value_length", c.head_dim);
    check_head_dim(metadata, "llama.rope.dimension_count", c.head_dim);
    validate(c, metadata.path());
    return c;
}

void validate(const Config& config, const std::string& where) {
    for (const Limit& limit : limits) check_limit(config, limit, where);
    check_heads(config, where);
    check_experts(config, where);
    check_real("rms_norm_eps", config.rms_norm_eps, 1, where);
    check_real("rope_theta", config.rope_theta, 1e12f, where);
    check_real("rope_scaling_factor", config.rope_scaling_factor, 1e6f, where);
    check_token("bos_token_id", config.bos_token_id, config, where);
    for (const std::uint32_t id : config.eos_token_ids)
        check_token("eos_token_id", id, config, where);
}

}  // namespace assay
