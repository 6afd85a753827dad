#include "model/config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/model/gguf_builder.h"

namespace assay {
namespace {

using nlohmann::json;
using test::expect_error;
using test::GgufBuilder;

Config from_json(const json& content) {
    const test::TemporaryFolder folder;
    return read_config(folder.write("config.json", content.dump()));
}

json small_config() {
    return {{"architectures", {"MistralForCausalLM"}},
            {"hidden_size", 128},
            {"intermediate_size", 160},
            {"num_hidden_layers", 2},
            {"num_attention_heads", 8},
            {"num_key_value_heads", 2},
            {"vocab_size", 500}};
}

TEST(Config, ReadsBothSpellings) {
    const Config a = read_config(test::data("hf/a_mistral_gqa/model/config.json"));
    EXPECT_EQ(a.architecture, "MistralForCausalLM");
    EXPECT_EQ(a.hidden_size, 256u);
    EXPECT_EQ(a.intermediate_size, 512u);
    EXPECT_EQ(a.num_hidden_layers, 3u);
    EXPECT_EQ(a.num_attention_heads, 8u);
    EXPECT_EQ(a.num_key_value_heads, 2u);
    EXPECT_EQ(a.head_dim, 32u);
    EXPECT_EQ(a.vocab_size, 512u);
    EXPECT_EQ(a.max_position_embeddings, 2048u);
    EXPECT_EQ(a.sliding_window, 0u);
    EXPECT_EQ(a.rms_norm_eps, 1e-5f);
    EXPECT_EQ(a.rope_theta, 10000.0f);
    EXPECT_FALSE(a.tie_word_embeddings);
    EXPECT_EQ(a.bos_token_id, 1u);
    EXPECT_EQ(a.eos_token_ids, std::vector<std::uint32_t>{2});

    const Config b = read_config(test::data("hf/b_mistral_window16/model/config.json"));
    EXPECT_EQ(b.head_dim, 16u);
    EXPECT_EQ(b.sliding_window, 16u);

    const Config d = read_config(test::data("hf/d_llama_mha/model/config.json"));
    EXPECT_EQ(d.architecture, "LlamaForCausalLM");
    EXPECT_EQ(d.num_key_value_heads, 4u);
}

TEST(Config, DefaultsAreThoseOfTransformers) {
    const Config mistral = from_json({{"architectures", {"MistralForCausalLM"}}});
    EXPECT_EQ(mistral.hidden_size, 4096u);
    EXPECT_EQ(mistral.intermediate_size, 14336u);
    EXPECT_EQ(mistral.num_key_value_heads, 8u);
    EXPECT_EQ(mistral.head_dim, 128u);
    EXPECT_EQ(mistral.sliding_window, 4096u);
    EXPECT_EQ(mistral.max_position_embeddings, 131072u);
    EXPECT_EQ(mistral.rms_norm_eps, 1e-6f);
    const Config llama = from_json({{"model_type", "llama"}});
    EXPECT_EQ(llama.architecture, "LlamaForCausalLM");
    EXPECT_EQ(llama.intermediate_size, 11008u);
    EXPECT_EQ(llama.num_key_value_heads, 32u);
    EXPECT_EQ(llama.max_position_embeddings, 2048u);
    EXPECT_EQ(llama.sliding_window, 0u);
    EXPECT_EQ(llama.num_local_experts, 0u);
    const Config mixtral = from_json({{"model_type", "mixtral"}});
    EXPECT_EQ(mixtral.intermediate_size, 14336u);
    EXPECT_EQ(mixtral.num_key_value_heads, 8u);
    EXPECT_EQ(mixtral.max_position_embeddings, 131072u);
    EXPECT_EQ(mixtral.sliding_window, 0u);
    EXPECT_EQ(mixtral.rms_norm_eps, 1e-5f);
    EXPECT_EQ(mixtral.rope_theta, 1e6f);
    EXPECT_EQ(mixtral.num_local_experts, 8u);
    EXPECT_EQ(mixtral.num_experts_per_tok, 2u);
}

TEST(Config, ReadsExperts) {
    const Config c = read_config(test::data("hf/c_mixtral_4x_top2/model/config.json"));
    EXPECT_EQ(c.architecture, "MixtralForCausalLM");
    EXPECT_EQ(c.num_local_experts, 4u);
    EXPECT_EQ(c.num_experts_per_tok, 2u);
    EXPECT_EQ(c.rope_theta, 1e6f);

    json content = small_config();
    content["num_local_experts"] = 6;  // means nothing to Mistral
    EXPECT_EQ(from_json(content).num_local_experts, 0u);
    EXPECT_EQ(from_json(content).num_experts_per_tok, 0u);
    content["architectures"] = {"MixtralForCausalLM"};
    content["num_experts_per_tok"] = 6;
    content["router_jitter_noise"] = 0.1;
    content["output_router_logits"] = true;
    EXPECT_EQ(from_json(content).num_local_experts, 6u);
    EXPECT_EQ(from_json(content).num_experts_per_tok, 6u);
    content.erase("num_local_experts");
    content["num_experts"] = 7;
    EXPECT_EQ(from_json(content).num_local_experts, 7u);
    content["rope_parameters"] = {{"rope_type", "default"}};
    EXPECT_EQ(from_json(content).rope_theta, 1e6f);
    content["rope_parameters"]["rope_theta"] = 5e5;
    EXPECT_EQ(from_json(content).rope_theta, 5e5f);
}

TEST(Config, NullMeansWhatTransformersMakesOfIt) {
    json content = small_config();
    content["num_key_value_heads"] = nullptr;
    content["sliding_window"] = nullptr;
    content["head_dim"] = nullptr;
    content["rope_scaling"] = nullptr;
    const Config config = from_json(content);
    EXPECT_EQ(config.num_key_value_heads, 8u);
    EXPECT_EQ(config.sliding_window, 0u);
    EXPECT_EQ(config.head_dim, 16u);
    EXPECT_EQ(config.rope_scaling_factor, 1.0f);
}

TEST(Config, ReadsLinearScalingInEverySpelling) {
    for (const char* rope :
         {R"({"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4}})",
          R"({"rope_theta": 5e5, "rope_scaling": {"rope_type": "linear", "factor": 4.0}})",
          R"({"rope_parameters": {"rope_type": "linear", "factor": 4, "rope_theta": 500000}})"}) {
        json content = small_config();
        content.update(json::parse(rope));
        const Config config = from_json(content);
        EXPECT_EQ(config.rope_theta, 500000.0f) << rope;
        EXPECT_EQ(config.rope_scaling_factor, 4.0f) << rope;
    }
}

TEST(Config, GenerationConfigSaysWhatEndsAText) {
    const test::TemporaryFolder folder;
    json content = small_config();
    content["eos_token_id"] = {2, 7};
    const auto path = folder.write("config.json", content.dump());
    EXPECT_EQ(read_config(path).eos_token_ids, (std::vector<std::uint32_t>{2, 7}));
    folder.write("generation_config.json", R"({"eos_token_id": 9})");
    EXPECT_EQ(read_config(path).eos_token_ids, std::vector<std::uint32_t>{9});
    folder.write("generation_config.json", R"({"eos_token_id": [9, 600]})");
    expect_error([&] { read_config(path); }, {"eos_token_id: 600", "vocab_size is 500"});
    folder.write("generation_config.json", R"({"eos_token_id": "x"})");
    expect_error([&] { read_config(path); }, {"generation_config.json: eos_token_id: \"x\""});
}

TEST(Config, RefusalsNameKeyValueAndWhatIsAllowed) {
    struct Refusal {
        const char *key, *value;
        std::vector<std::string> in_error;
    };
    const Refusal refusals[] = {
        {"architectures", R"(["GPT2LMHeadModel"])", {"GPT2LMHeadModel", "MistralForCausalLM"}},
        {"architectures", R"([])", {"architectures: [], a list of one name"}},
        {"architectures", "null", {"architectures: is absent"}},
        {"hidden_size", "0", {"hidden_size: 0, allowed are multiples of 32 from 32 to 65536"}},
        {"hidden_size", "100", {"hidden_size: 100, allowed"}},
        {"hidden_size", "-32", {"hidden_size: -32, a whole number"}},
        {"hidden_size", "128.5", {"hidden_size: 128.5, a whole number"}},
        {"hidden_size", "\"128\"", {"hidden_size: \"128\", a whole number"}},
        {"hidden_size", "4294967296", {"hidden_size: 4294967296, a whole number"}},
        {"hidden_size", "4294967264", {"hidden_size: 4294967264, allowed"}},
        {"intermediate_size", "161", {"intermediate_size: 161, allowed are multiples of 32"}},
        {"num_hidden_layers", "0", {"num_hidden_layers: 0, allowed are values from 1"}},
        {"num_hidden_layers", "1000000", {"num_hidden_layers: 1000000"}},
        {"num_attention_heads", "0", {"num_attention_heads: 0"}},
        {"num_key_value_heads", "0", {"num_key_value_heads: 0"}},
        {"num_key_value_heads", "3", {"num_attention_heads: 8", "num_key_value_heads 3"}},
        {"num_key_value_heads", "1", {"head_dim: 16 times 1 heads is 16", "32"}},
        {"head_dim", "0", {"head_dim: 0"}},
        {"head_dim", "20", {"head_dim: 20, allowed are multiples of 8"}},
        {"head_dim", "512", {"head_dim: 512"}},
        {"vocab_size", "0", {"vocab_size: 0"}},
        {"max_position_embeddings", "0", {"max_position_embeddings: 0"}},
        {"sliding_window", "-1", {"sliding_window: -1"}},
        {"rms_norm_eps", "0", {"rms_norm_eps: 0, allowed are values above 0"}},
        {"rms_norm_eps", "-1e-5", {"rms_norm_eps: -"}},
        {"rms_norm_eps", "\"small\"", {"rms_norm_eps: \"small\", a number"}},
        {"rope_theta", "0", {"rope_theta: 0,"}},
        {"rope_theta", "1e300", {"rope_theta: not a finite number"}},
        {"rope_scaling", "4", {"rope_scaling: 4, not an object"}},
        {"rope_scaling", R"({"type": "yarn", "factor": 2})", {"rope_scaling: type: \"yarn\""}},
        {"rope_scaling", R"({"type": "linear"})", {"rope_scaling: factor: is absent"}},
        {"rope_scaling", R"({"type": "linear", "factor": 0})", {"rope_scaling_factor: 0,"}},
        {"rope_parameters", R"({"rope_type": "llama3"})", {"rope_type: \"llama3\""}},
        {"hidden_act", "\"gelu\"", {"hidden_act: \"gelu\", only \"silu\""}},
        {"attention_bias", "true", {"attention_bias: true, only false"}},
        {"mlp_bias", "true", {"mlp_bias: true, only false"}},
        {"partial_rotary_factor", "0.5", {"partial_rotary_factor: 0.5"}},
        {"quantization_config", R"({"bits": 4})", {"quantization_config: {\"bits\":4}"}},
        {"tie_word_embeddings", "1", {"tie_word_embeddings: 1, true or false"}},
        {"bos_token_id", "500", {"bos_token_id: 500, vocab_size is 500"}},
        {"eos_token_id", "500", {"eos_token_id: 500, vocab_size is 500"}},
        {"eos_token_id", "[2, -1]", {"eos_token_id: [2,-1], token ids"}},
    };
    for (const auto& [key, value, in_error] : refusals) {
        SCOPED_TRACE(std::string(key) + " = " + value);
        json content = small_config();
        content[key] = json::parse(value);
        expect_error([&] { from_json(content); }, in_error);
        expect_error([&] { from_json(content); }, {"config.json: "});
    }
    for (const auto& [key, value, in_error] :
         {Refusal{"num_local_experts", "0", {"num_local_experts: 0, at least one"}},
          {"num_experts", "0", {"num_experts: 0, at least one"}},
          {"num_local_experts", "1025", {"num_local_experts: 1025, allowed"}},
          {"num_local_experts", "-1", {"num_local_experts: -1, a whole number"}},
          {"num_experts_per_tok", "0", {"num_experts_per_tok: 0, allowed are values from 1"}},
          {"num_experts_per_tok", "9", {"num_experts_per_tok: 9", "num_local_experts 8"}},
          {"num_experts_per_tok", "\"2\"", {"num_experts_per_tok: \"2\", a whole number"}}}) {
        SCOPED_TRACE(std::string(key) + " = " + value);
        json content = small_config();
        content["architectures"] = {"MixtralForCausalLM"};
        content[key] = json::parse(value);
        expect_error([&] { from_json(content); }, in_error);
    }
    json both = small_config();
    both["rope_theta"] = 1e6;
    both["rope_parameters"] = {{"rope_theta", 1e4}};
    expect_error([&] { from_json(both); }, {"rope_theta: 10000, but 1e+06"});
}

GgufBuilder small_gguf() {
    GgufBuilder file;
    file.add("general.architecture", "llama");
    file.add("llama.context_length", 2048u);
    file.add("llama.embedding_length", 128u);
    file.add("llama.feed_forward_length", 160u);
    file.add("llama.block_count", 2u);
    file.add("llama.attention.head_count", 8u);
    file.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    file.add("llama.vocab_size", 500u);
    return file;
}

Config from_gguf(const GgufBuilder& builder) {
    const test::TemporaryFolder folder;
    const MappedFile file(folder.write("model.gguf", builder.bytes()));
    return config_from_gguf(read_gguf(file).metadata);
}

TEST(Config, GgufSaysTheSameAsConfigJson) {
    const MappedFile file(test::data("gguf/a_mistral_gqa/a_mistral_gqa.Q8_0.gguf"));
    const Config gguf = config_from_gguf(read_gguf(file).metadata);
    const Config hf = read_config(test::data("hf/a_mistral_gqa/model/config.json"));
    EXPECT_EQ(gguf.architecture, "LlamaForCausalLM");
    EXPECT_EQ(gguf.hidden_size, hf.hidden_size);
    EXPECT_EQ(gguf.intermediate_size, hf.intermediate_size);
    EXPECT_EQ(gguf.num_hidden_layers, hf.num_hidden_layers);
    EXPECT_EQ(gguf.num_attention_heads, hf.num_attention_heads);
    EXPECT_EQ(gguf.num_key_value_heads, hf.num_key_value_heads);
    EXPECT_EQ(gguf.head_dim, hf.head_dim);
    EXPECT_EQ(gguf.vocab_size, hf.vocab_size);
    EXPECT_EQ(gguf.max_position_embeddings, hf.max_position_embeddings);
    EXPECT_EQ(gguf.sliding_window, hf.sliding_window);
    EXPECT_EQ(gguf.rms_norm_eps, hf.rms_norm_eps);
    EXPECT_EQ(gguf.rope_theta, hf.rope_theta);
    EXPECT_EQ(gguf.bos_token_id, hf.bos_token_id);
    EXPECT_EQ(gguf.eos_token_ids, hf.eos_token_ids);
}

TEST(Config, GgufDefaultsAndOptionalKeys) {
    const Config plain = from_gguf(small_gguf());
    EXPECT_EQ(plain.num_key_value_heads, 8u);
    EXPECT_EQ(plain.head_dim, 16u);
    EXPECT_EQ(plain.rope_theta, 10000.0f);
    EXPECT_EQ(plain.rope_scaling_factor, 1.0f);
    EXPECT_EQ(plain.sliding_window, 0u);
    EXPECT_EQ(plain.architecture, "LlamaForCausalLM");
    EXPECT_EQ(plain.num_local_experts, 0u);

    GgufBuilder sparse = small_gguf();
    sparse.add("llama.expert_count", 5u);
    sparse.add("llama.expert_used_count", 3u);
    EXPECT_EQ(from_gguf(sparse).architecture, "MixtralForCausalLM");
    EXPECT_EQ(from_gguf(sparse).num_local_experts, 5u);
    EXPECT_EQ(from_gguf(sparse).num_experts_per_tok, 3u);

    GgufBuilder file = small_gguf();
    file.add("llama.attention.head_count_kv", 4u);
    file.add("llama.attention.key_length", 32u);
    file.add("llama.attention.value_length", 32u);
    file.add("llama.attention.sliding_window", 64u);
    file.add("llama.rope.freq_base", 1e6f);
    file.add("llama.rope.scaling.type", "linear");
    file.add("llama.rope.scaling.factor", 2.0f);
    file.add("tokenizer.ggml.tokens", std::vector<std::string>(9, "t"));
    file.add("tokenizer.ggml.bos_token_id", 3u);
    file.add("tokenizer.ggml.eos_token_id", 4u);
    const Config full = from_gguf(file);
    EXPECT_EQ(full.num_key_value_heads, 4u);
    EXPECT_EQ(full.head_dim, 32u);
    EXPECT_EQ(full.sliding_window, 64u);
    EXPECT_EQ(full.rope_theta, 1e6f);
    EXPECT_EQ(full.rope_scaling_factor, 2.0f);
    EXPECT_EQ(full.vocab_size, 9u);
    EXPECT_EQ(full.bos_token_id, 3u);
    EXPECT_EQ(full.eos_token_ids, std::vector<std::uint32_t>{4});
    file.add("assay.eos_token_ids", std::vector<std::int32_t>{4, 7});
    EXPECT_EQ(from_gguf(file).eos_token_ids, (std::vector<std::uint32_t>{4, 7}));

    GgufBuilder old = small_gguf();
    old.add("llama.rope.scale_linear", 8.0f);
    EXPECT_EQ(from_gguf(old).rope_scaling_factor, 8.0f);
}

TEST(Config, GgufRefusalsNameTheKey) {
    struct Refusal {
        const char* name;
        void (*add)(GgufBuilder&);
        std::vector<std::string> in_error;
    };
    const Refusal refusals[] = {
        {"experts without the number used",
         [](GgufBuilder& b) { b.add("llama.expert_count", 8u); },
         {"llama.expert_used_count: not in the file's metadata"}},
        {"more experts used than there are",
         [](GgufBuilder& b) {
             b.add("llama.expert_count", 8u);
             b.add("llama.expert_used_count", 9u);
         },
         {"num_experts_per_tok: 9, allowed are values from 1 to num_local_experts 8"}},
        {"no expert used",
         [](GgufBuilder& b) {
             b.add("llama.expert_count", 8u);
             b.add("llama.expert_used_count", 0u);
         },
         {"num_experts_per_tok: 0, allowed are values from 1"}},
        {"too many experts",
         [](GgufBuilder& b) {
             b.add("llama.expert_count", 1025u);
             b.add("llama.expert_used_count", 2u);
         },
         {"num_local_experts: 1025, allowed are values from 0 to 1024"}},
        {"kv heads",
         [](GgufBuilder& b) { b.add("llama.attention.head_count_kv", 3u); },
         {"num_key_value_heads 3"}},
        {"per-layer heads",
         [](GgufBuilder& b) {
             b.add("llama.attention.head_count_kv", std::vector<std::int32_t>{2, 2});
         },
         {"head_count_kv: array of signed whole numbers, expected whole number"}},
        {"rotated part",
         [](GgufBuilder& b) { b.add("llama.rope.dimension_count", 8u); },
         {"dimension_count: 8", "16"}},
        {"value size",
         [](GgufBuilder& b) { b.add("llama.attention.value_length", 8u); },
         {"value_length: 8", "16"}},
        {"yarn",
         [](GgufBuilder& b) { b.add("llama.rope.scaling.type", "yarn"); },
         {"scaling.type: yarn", "linear"}},
        {"factor",
         [](GgufBuilder& b) { b.add("llama.rope.scaling.factor", -1.0f); },
         {"rope_scaling_factor: -1,"}},
        {"theta",
         [](GgufBuilder& b) { b.add("llama.rope.freq_base", NAN); },
         {"rope_theta: not a finite number"}},
        {"theta type",
         [](GgufBuilder& b) { b.add("llama.rope.freq_base", "x"); },
         {"freq_base: string, expected float"}},
        {"bos",
         [](GgufBuilder& b) { b.add("tokenizer.ggml.bos_token_id", 500u); },
         {"bos_token_id: 500, vocab_size is 500"}},
    };
    for (const auto& [name, add, in_error] : refusals) {
        SCOPED_TRACE(name);
        GgufBuilder file = small_gguf();
        add(file);
        expect_error([&] { from_gguf(file); }, in_error);
    }
    for (std::size_t removed = 0; removed < 8; ++removed) {
        GgufBuilder file = small_gguf();
        file.pairs.erase(file.pairs.begin() + static_cast<std::ptrdiff_t>(removed));
        expect_error([&] { from_gguf(file); }, {"not in the file's metadata"});
    }
    GgufBuilder other = small_gguf();
    other.pairs.erase(other.pairs.begin());
    other.add("general.architecture", "qwen2");
    expect_error([&] { from_gguf(other); }, {"general.architecture: qwen2, only llama"});
}

}  // namespace
}  // namespace assay
