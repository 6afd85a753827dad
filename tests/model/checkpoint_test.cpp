#include "model/checkpoint.h"

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>

#include "model/formats/dequantise.h"
#include "tests/model/gguf_builder.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::bytes_of;
using test::data;
using test::expect_error;
using test::GgufBuilder;

std::vector<float> values(const FileTensor& tensor) {
    std::vector<float> result(tensor.rows() * tensor.columns());
    dequantise(tensor.format, tensor.data, result);
    return result;
}

float greatest(const std::vector<float>& values) {
    float most = 0;
    for (const float value : values) most = std::max(most, std::fabs(value));
    return most;
}

TEST(Checkpoint, OpensEveryDirectory) {
    struct Case {
        const char* name;
        std::size_t layers;
        Format format;
    };
    for (const auto& [name, layers, format] : {Case{"a_mistral_gqa", 3, Format::bf16},
                                               {"b_mistral_window16", 3, Format::f16},
                                               {"c_mixtral_4x_top2", 2, Format::bf16},
                                               {"d_llama_mha", 2, Format::f32},
                                               {"e_mistral_3shards", 3, Format::bf16}}) {
        SCOPED_TRACE(name);
        const Checkpoint checkpoint(data("hf") / name / "model");
        const Config& config = checkpoint.config();
        EXPECT_EQ(config.num_hidden_layers, layers);
        const std::size_t feed_forward =
            config.num_local_experts == 0 ? 3 : 1 + 3 * config.num_local_experts;
        EXPECT_EQ(checkpoint.tensors().size(), 3 + (6 + feed_forward) * layers);
        EXPECT_FALSE(checkpoint.permuted_qk());
        EXPECT_EQ(checkpoint.name(), "model");
        const FileTensor& down = checkpoint.tensor(
            config.num_local_experts == 0 ? "model.layers.1.mlp.down_proj.weight"
                                          : "model.layers.1.block_sparse_moe.experts.3.w2.weight");
        EXPECT_EQ(down.format, format);
        EXPECT_EQ(down.rows(), config.hidden_size);
        EXPECT_EQ(down.columns(), config.intermediate_size);
        EXPECT_EQ(checkpoint.find("model.layers.3.mlp.down_proj.weight"), nullptr);
        expect_error([&] { checkpoint.tensor("nothing"); }, {"nothing: no weight of this model"});
        std::uint64_t bytes = 0;
        for (const FileTensor& tensor : checkpoint.tensors()) bytes += tensor.data.size();
        EXPECT_EQ(checkpoint.bytes_by_format(), (std::map<Format, std::uint64_t>{{format, bytes}}));
    }
}

// q8_0 rounds to 1/254 of a block's greatest weight, its f16 scale to 1/2048: together below 1/200.
TEST(Checkpoint, GgufHoldsTheWeightsOfTheDirectory) {
    struct Case {
        const char *directory, *gguf;
        std::size_t turned;  // tensors whose order of rows differs
    };
    for (const auto& [directory, file, turned_tensors] :
         {Case{"a_mistral_gqa", "a_mistral_gqa.Q8_0", 6},
          {"c_mixtral_4x_top2", "c_mixtral_4x_top2.Q8_0", 4},
          {"c_mixtral_4x_top2", "c_mixtral_4x_top2.F16", 4}}) {
        SCOPED_TRACE(file);
        const Checkpoint hf(data("hf") / directory / "model");
        const Checkpoint gguf(data("gguf") / directory / (file + std::string(".gguf")));
        EXPECT_TRUE(gguf.permuted_qk());
        EXPECT_EQ(gguf.name(), file);
        EXPECT_EQ(gguf.tensors().size(), hf.tensors().size());
        std::size_t turned = 0;
        for (const FileTensor& tensor : hf.tensors()) {
            SCOPED_TRACE(tensor.name);
            const FileTensor& stored = gguf.tensor(tensor.name);
            ASSERT_EQ(stored.shape, tensor.shape);
            const std::vector<float> expected = values(tensor), actual = values(stored);
            const bool permuted = tensor.name.find("q_proj") != std::string::npos ||
                                  tensor.name.find("k_proj") != std::string::npos;
            float worst = 0, unturned = 0;
            for (std::uint32_t row = 0; row < tensor.rows(); ++row)
                for (std::size_t i = 0; i < tensor.columns(); ++i) {
                    const std::uint32_t from =
                        permuted ? unpermuted_row(row, hf.config().head_dim) : row;
                    const float value = expected[row * tensor.columns() + i];
                    worst = std::max(worst, std::fabs(actual[from * tensor.columns() + i] - value));
                    unturned =
                        std::max(unturned, std::fabs(actual[row * tensor.columns() + i] - value));
                }
            const float tolerance = greatest(expected) / 200;
            EXPECT_LE(worst, tolerance);
            turned += unturned > tolerance;
        }
        EXPECT_EQ(turned, turned_tensors);  // else the test would pass without permuting
    }
}

TEST(Checkpoint, TokenizersKnowTheModelsVocabulary) {
    const Checkpoint hf(data("hf/a_mistral_gqa/model"));
    const Checkpoint demo(data("demo-judge/tiny-judge-Q8_0.gguf"));
    EXPECT_EQ(hf.tokenizer().model_vocab_size(), 512u);
    EXPECT_EQ(demo.tokenizer().model_vocab_size(), 2560u);
    expect_error([] { Checkpoint(data("hf/d_llama_mha/model")).tokenizer(); }, {"tokenizer.model"});
    EXPECT_EQ(open_tokenizer(data("hf/a_mistral_gqa/model/tokenizer.model")).vocab_size(), 512u);
    EXPECT_EQ(open_tokenizer(data("hf/a_mistral_gqa/model")).vocab_size(), 512u);
    EXPECT_EQ(open_tokenizer(data("demo-judge/tiny-judge-Q8_0.gguf")).vocab_size(), 2560u);
}

// A directory whose files are written from these, one layer of the smallest sizes.
struct Directory {
    json config = {{"architectures", {"LlamaForCausalLM"}},
                   {"hidden_size", 32},
                   {"intermediate_size", 64},
                   {"num_hidden_layers", 1},
                   {"num_attention_heads", 2},
                   {"vocab_size", 5}};
    std::map<std::string, std::vector<std::uint64_t>> shapes{
        {"model.embed_tokens.weight", {5, 32}},
        {"model.norm.weight", {32}},
        {"lm_head.weight", {5, 32}},
        {"model.layers.0.input_layernorm.weight", {32}},
        {"model.layers.0.self_attn.q_proj.weight", {32, 32}},
        {"model.layers.0.self_attn.k_proj.weight", {32, 32}},
        {"model.layers.0.self_attn.v_proj.weight", {32, 32}},
        {"model.layers.0.self_attn.o_proj.weight", {32, 32}},
        {"model.layers.0.post_attention_layernorm.weight", {32}},
        {"model.layers.0.mlp.gate_proj.weight", {64, 32}},
        {"model.layers.0.mlp.up_proj.weight", {64, 32}},
        {"model.layers.0.mlp.down_proj.weight", {32, 64}},
    };
    std::string dtype = "F16";
    test::TemporaryFolder folder;

    std::string safetensors() const {
        json header;
        std::uint64_t end = 0;
        for (const auto& [name, shape] : shapes) {
            const std::uint64_t begin = end;
            end +=
                std::accumulate(shape.begin(), shape.end(), std::uint64_t{2}, std::multiplies<>());
            header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, end}}};
        }
        const std::string text = header.dump();
        return bytes_of(std::uint64_t{text.size()}) + text + std::string(end, '\0');
    }
    Checkpoint open() const {
        folder.write("config.json", config.dump());
        folder.write("model.safetensors", safetensors());
        return Checkpoint(folder.path());
    }
    // Opens the same file as the one shard of an index.
    Checkpoint open_indexed(const json& index) const {
        folder.write("config.json", config.dump());
        folder.write("part.safetensors", safetensors());
        folder.write("model.safetensors.index.json", index.dump());
        return Checkpoint(folder.path());
    }
};

TEST(Checkpoint, TiedEmbeddingsNeedNoHead) {
    Directory directory;
    directory.config["tie_word_embeddings"] = true;
    directory.shapes.erase("lm_head.weight");
    const Checkpoint tied = directory.open();
    EXPECT_EQ(&tied.tensor("lm_head.weight"), &tied.tensor("model.embed_tokens.weight"));
    EXPECT_EQ(tied.tensors().size(), 11u);
    directory.config["tie_word_embeddings"] = false;
    expect_error([&] { directory.open(); }, {"lm_head.weight: not in the file"});
}

TEST(Checkpoint, TensorsThatNobodyAsksForAreLeftOut) {
    Directory directory;
    directory.shapes["model.layers.0.self_attn.rotary_emb.inv_freq"] = {8};
    EXPECT_EQ(directory.open().tensors().size(), 12u);
}

TEST(Checkpoint, WeightsThatContradictTheConfigAreNamed) {
    for (const auto& [name, shape] : Directory().shapes) {
        SCOPED_TRACE(name);
        Directory lacking;
        lacking.shapes.erase(name);
        expect_error([&] { lacking.open(); }, {name + ": not in the file"});
        Directory wrong;
        wrong.shapes[name].back() = 96;
        expect_error([&] { wrong.open(); },
                     {name + ": " + shape_text(wrong.shapes[name]) + " in the file, " +
                      shape_text(shape) + " from its config"});
        Directory extra;
        extra.shapes[name].push_back(1);
        expect_error([&] { extra.open(); }, {name + ": "});
    }
    Directory integers;
    integers.dtype = "I16";
    expect_error([&] { integers.open(); }, {"weight: type I16 is not supported"});
}

TEST(Checkpoint, IndexIsComparedWithTheShards) {
    const Directory directory;
    json map;
    for (const auto& [name, shape] : directory.shapes) map[name] = "part.safetensors";
    EXPECT_EQ(directory.open_indexed({{"weight_map", map}}).tensors().size(), 12u);

    const auto refuse = [&](const char* tensor, const json& shard, std::vector<std::string> parts) {
        json changed = map;
        changed[tensor] = shard;
        expect_error([&] { directory.open_indexed({{"weight_map", changed}}); }, std::move(parts));
    };
    refuse("more", "part.safetensors", {"part.safetensors: more: not in the file", "index"});
    refuse("more", "absent.safetensors", {"absent.safetensors: No such file"});
    refuse("more", "../part.safetensors", {"more: ../part.safetensors is no file name"});
    refuse("more", "/etc/passwd", {"more: /etc/passwd is no file name"});
    refuse("more", "", {"more:  is no file name"});
    refuse("more", 3, {"more: is no file name but number"});
    expect_error(
        [&] {
            directory.open_indexed({{"weight_map", 1}});
        },
        {"weight_map: is no object"});
    expect_error([&] { directory.open_indexed(json::object()); }, {"weight_map: is no object"});
    const test::TemporaryFolder empty;
    expect_error([&] { Checkpoint{empty.path()}; }, {"config.json: No such file"});
    empty.write("config.json", directory.config.dump());
    expect_error([&] { Checkpoint{empty.path()}; }, {"has neither model.safetensors nor"});
}

// The smallest GGUF model: one layer, tied embeddings.
GgufBuilder small_gguf() {
    GgufBuilder file;
    file.add("general.architecture", "llama");
    file.add("llama.context_length", 64u);
    file.add("llama.embedding_length", 32u);
    file.add("llama.feed_forward_length", 64u);
    file.add("llama.block_count", 1u);
    file.add("llama.attention.head_count", 2u);
    file.add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    file.add("llama.vocab_size", 5u);
    const auto add = [&](const char* name, std::vector<std::uint64_t> dimensions) {
        std::uint64_t elements = 1;
        for (const auto size : dimensions) elements *= size;
        file.add_tensor(name, dimensions, 0, std::string(4 * elements, '\0'));
    };
    add("token_embd.weight", {32, 5});
    add("output_norm.weight", {32});
    add("blk.0.attn_norm.weight", {32});
    add("blk.0.ffn_norm.weight", {32});
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"})
        add(("blk.0." + std::string(name) + ".weight").c_str(), {32, 32});
    add("blk.0.ffn_gate.weight", {32, 64});
    add("blk.0.ffn_up.weight", {32, 64});
    add("blk.0.ffn_down.weight", {64, 32});
    return file;
}

Checkpoint open(const GgufBuilder& builder) {
    const test::TemporaryFolder folder;  // the mapping outlives the name
    return Checkpoint(folder.write("model.gguf", builder.bytes()));
}

TEST(Checkpoint, GgufWithoutOutputIsTied) {
    const Checkpoint checkpoint = open(small_gguf());
    EXPECT_TRUE(checkpoint.config().tie_word_embeddings);
    EXPECT_EQ(checkpoint.tensor("lm_head.weight").name, "model.embed_tokens.weight");
}

TEST(Checkpoint, BrokenGgufModelsAreNamed) {
    struct Corruption {
        const char* name;
        void (*corrupt)(GgufBuilder&);
        std::vector<std::string> in_error;
    };
    const Corruption corruptions[] = {
        {"missing",
         [](GgufBuilder& b) { b.tensors.pop_back(); },
         {"model.gguf: model.layers.0.mlp.down_proj.weight: not in the file"}},
        {"turned",
         [](GgufBuilder& b) {
             b.tensors.back().dimensions = {32, 64};
         },
         {"down_proj.weight: 64 x 32 in the file, 32 x 64 from its config"}},
        {"type without kernels",
         [](GgufBuilder& b) { b.tensors.back().type = 27; },
         {"model.layers.0.mlp.down_proj.weight: type I64 is not supported"}},
        {"quantised norm",
         [](GgufBuilder& b) { b.tensors[1].type = 8; },
         {"model.norm.weight: a vector in q8_0"}},
        {"same weight under both names",
         [](GgufBuilder& b) { b.add_tensor("model.norm.weight", {32}, 0, std::string(128, '\0')); },
         {"model.norm.weight: is there twice"}},
        {"scaled rope",
         [](GgufBuilder& b) {
             b.add_tensor("rope_freqs.weight", {2}, 0, bytes_of(1.0f) + bytes_of(8.0f));
         },
         {"rope_freqs.weight: element 1 is 8.0", "only 1"}},
        {"part of a model",
         [](GgufBuilder& b) { b.add("split.count", 3u); },
         {"split.count: one of 3 files"}},
        {"experts that are not there",
         [](GgufBuilder& b) {
             b.add("llama.expert_count", 8u);
             b.add("llama.expert_used_count", 2u);
         },
         {"model.layers.0.block_sparse_moe.gate.weight: not in the file"}},
    };
    for (const Corruption& corruption : corruptions) {
        SCOPED_TRACE(corruption.name);
        GgufBuilder builder = small_gguf();
        corruption.corrupt(builder);
        expect_error([&] { open(builder); }, corruption.in_error);
    }
    GgufBuilder plain = small_gguf();
    plain.add_tensor("rope_freqs.weight", {2}, 0, bytes_of(1.0f) + bytes_of(1.0f));
    EXPECT_EQ(open(plain).tensors().size(), 11u);
    expect_error([] { Checkpoint{data("absent")}; }, {"absent: No such file"});
}

// Sets an environment variable, or unsets it for nullptr, until it goes out of scope.
class Environment {
public:
    Environment(const char* name, const char* value) : name_(name) {
        if (const char* now = std::getenv(name)) before_ = now;
        set(value);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { set(before_ ? before_->c_str() : nullptr); }

private:
    void set(const char* value) const { value ? ::setenv(name_, value, 1) : ::unsetenv(name_); }
    const char* name_;
    std::optional<std::string> before_;
};

TEST(ResolveModel, FindsPathsAndTheDemo) {
    const Environment unset("ASSAY_DATA_DIR", nullptr);
    EXPECT_EQ(resolve_model(data("hf").string()), data("hf"));
    const fs::path demo = resolve_model("demo");
    EXPECT_EQ(demo.filename(), "demo-judge.gguf");
    EXPECT_EQ(Checkpoint(demo).config().vocab_size, 2560u);

    const test::TemporaryFolder folder;
    const Environment set("ASSAY_DATA_DIR", folder.path().c_str());
    EXPECT_EQ(resolve_model("demo"), demo);
    const fs::path own = folder.write("demo-judge.gguf", "");
    EXPECT_EQ(resolve_model("demo"), own);
}

TEST(ResolveModel, FindsNamesInTheHuggingFaceCache) {
    const test::TemporaryFolder folder;
    const Environment cache("HF_HUB_CACHE", nullptr), home("HF_HOME", folder.path().c_str());
    const std::string entry = "hub/models--org--judge-7b/";
    expect_error([] { resolve_model("org/judge-7b"); },
                 {"model org/judge-7b: not found", "looked for org/judge-7b", entry.substr(0, 20)});
    folder.write(entry + "refs/main", "0123abcd\n");
    expect_error([] { resolve_model("org/judge-7b"); }, {"refs/main: 0123abcd: no such folder"});
    folder.write(entry + "snapshots/0123abcd/config.json", "{}");
    const fs::path found = resolve_model("org/judge-7b");
    EXPECT_EQ(found, folder.path() / entry / "snapshots" / "0123abcd");
    folder.write(entry + "refs/main", "../..");
    expect_error([] { resolve_model("org/judge-7b"); }, {"refs/main: ../..: no such folder"});
    for (const char* name : {"judge", "/judge", "org/", "a/b/c", "no\nsuch"})
        expect_error([&] { resolve_model(name); }, {": not found; looked for"});
    expect_error([] { resolve_model(""); }, {"the name is empty"});
}

TEST(ResolveModel, CachedModelsAreCalledByTheirName) {
    Directory directory;
    const test::TemporaryFolder folder;
    const std::string snapshot = "models--org--judge/snapshots/0123/";
    folder.write(snapshot + "config.json", directory.config.dump());
    folder.write(snapshot + "model.safetensors", directory.safetensors());
    EXPECT_EQ(Checkpoint(folder.path() / snapshot).name(), "org/judge");
}

}  // namespace
}  // namespace assay
