#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <random>

#include "model/checkpoint.h"
#include "model/fingerprint.h"
#include "model/formats/safetensors_folder.h"
#include "model/formats/safetensors_writer.h"
#include "model/merge/arithmetic.h"
#include "tests/model/merge/cases.h"
#include "tests/support/paths.h"

namespace assay::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view linear =
    "models:\n"
    "  - {model: inputs/mistral-bf16/abs, parameters: {weight: 0.3}}\n"
    "  - {model: inputs/mistral-bf16/rel, parameters: {weight: 0.7}}\n"
    "merge_method: linear\n"
    "dtype: bfloat16\n";

MergeOptions plain() {
    MergeOptions options;
    options.hash_inputs = false;
    return options;
}

float value_of(const std::string& tensor, std::size_t i) {
    float value = 0;
    decode(Format::bf16, reinterpret_cast<const std::byte*>(tensor.data()) + 2 * i, {&value, 1});
    return value;
}

// A model of random bf16 tensors, with a config of as many layers as their names tell.
void write_model(const fs::path& to, std::uint32_t seed, std::uint32_t layers,
                 const std::vector<std::pair<std::string, std::vector<std::uint64_t>>>& tensors) {
    fs::create_directories(to);
    std::ofstream(to / "config.json")
        << Json{{"architectures", {"MistralForCausalLM"}}, {"num_hidden_layers", layers}};
    std::mt19937 random(seed);
    SafetensorsWriter writer(to, std::uint64_t{1} << 40);
    for (const auto& [name, shape] : tensors) writer.add(name, Format::bf16, shape);
    writer.write_headers();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        std::uint64_t elements = 1;
        for (const std::uint64_t size : tensors[i].second) elements *= size;
        std::vector<float> values(elements);  // few different ones: many are equal in magnitude
        for (float& value : values) value = static_cast<float>(random() % 61) / 64 - 0.46875f;
        std::vector<std::byte> bytes(2 * elements);
        encode(Format::bf16, values, bytes.data());
        writer.write(i, 0, bytes);
    }
    writer.finish();
}

std::string config_of(const fs::path& folder, const std::string& method,
                      const std::string& parameters) {
    const auto model = [&](const char* name) {
        return "  - {model: " + (folder / name).string() + ", parameters: {" + parameters + "}}\n";
    };
    return "models:\n" + model("abs") + model("rel") + "base_model: " + (folder / "base").string() +
           "\nmerge_method: " + method + "\n";
}

// Larger than a thread's piece, and no whole number of blocks.
TEST(Merge, IsTheSameOfAnyNumberOfThreads) {
    const TemporaryFolder folder;
    std::uint32_t seed = 0;
    for (const char* name : {"base", "abs", "rel"})
        write_model(folder.path() / name, ++seed, 1,
                    {{"model.layers.0.large", {1001, 2333}}, {"model.norm.weight", {17}}});
    for (const auto& [method, parameters] : {std::pair{"ties", "weight: 0.5, density: 0.3"},
                                             {"dare_ties", "weight: 0.5, density: 0.3"},
                                             {"dare_linear", "weight: 0.5, density: 0.9"}}) {
        SCOPED_TRACE(method);
        const std::string config = config_of(folder.path(), method, parameters);
        const auto merge = [&](std::uint32_t threads) {
            const fs::path to =
                folder.path() / (std::string(method) + "-" + std::to_string(threads));
            MergeOptions options = plain();
            options.threads = threads;
            merge_models(parse_merge_config("config", config), to, options);
            return hashes_of(to);
        };
        EXPECT_EQ(merge(1), merge(8));
    }
}

TEST(Merge, SplitsTheResultIntoShards) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    MergeOptions options = plain();
    const fs::path whole = merged(inputs, std::string(linear), options, folder.path());
    options.shard_bytes = 40000;
    const fs::path split = merged(inputs, std::string(linear), options, folder.path());
    EXPECT_FALSE(fs::exists(whole / index_file));
    EXPECT_FALSE(fs::exists(split / single_file));
    const Json index = Json::parse(read_file(split / index_file));
    EXPECT_EQ(index["metadata"]["total_size"], 176768);
    EXPECT_EQ(index["weight_map"].size(), 21);
    EXPECT_EQ(index["weight_map"]["lm_head.weight"], "model-00001-of-00006.safetensors");
    std::vector<MappedFile> files;
    std::map<std::string, std::string> got;
    for (const FileTensor& tensor : read_safetensors_folder(split, files).tensors)
        got[tensor.name].assign(reinterpret_cast<const char*>(tensor.data.data()),
                                tensor.data.size());
    EXPECT_EQ(files.size(), 6);
    EXPECT_EQ(got, tensors_of(whole));
}

TEST(Merge, RoundsOnceWhenPrecise) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    MergeOptions options = plain();
    const auto rounded_often =
        tensors_of(merged(inputs, std::string(linear), options, folder.path()));
    options.plan.precise = true;
    const auto got = tensors_of(merged(inputs, std::string(linear), options, folder.path()));
    const auto a = tensors_of(inputs.folder() / "inputs/mistral-bf16/abs"),
               b = tensors_of(inputs.folder() / "inputs/mistral-bf16/rel");
    double worst = 0, worst_of_other = 0;  // error, in steps of bf16
    for (const auto& [name, tensor] : got)
        for (std::size_t i = 0; i < tensor.size() / 2; ++i) {
            const double exact =
                0.3 * double{value_of(a.at(name), i)} + 0.7 * double{value_of(b.at(name), i)};
            if (std::abs(exact) < 1e-6) continue;
            const double step = std::ldexp(1.0, std::ilogb(exact) - 7);
            worst = std::max(worst, std::abs(value_of(tensor, i) - exact) / step);
            worst_of_other = std::max(worst_of_other,
                                      std::abs(value_of(rounded_often.at(name), i) - exact) / step);
        }
    // Half a step and what the f32 operations before it lose: of the greater product, which terms
    // of opposite signs leave little of.
    EXPECT_LT(worst, 0.51);
    EXPECT_GT(worst_of_other, 1);
}

TEST(Merge, TakesLayersFromSlices) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    const auto slice = [](const char* range) {
        return std::string("  - sources: [{model: inputs/mistral-bf16/abs, layer_range: ") + range +
               ", parameters: {weight: 1}}]\n";
    };
    const fs::path made =
        merged(inputs, "slices:\n" + slice("[1, 2]") + slice("[0, 2]") + "merge_method: linear\n",
               plain(), folder.path());
    const auto got = tensors_of(made),
               from = tensors_of(inputs.folder() / "inputs/mistral-bf16/abs");
    EXPECT_EQ(got.size(), from.size() + 9);
    for (const auto& [to, of] : {std::pair{0, 1}, {1, 0}, {2, 1}})
        for (const char* name : {".self_attn.q_proj.weight", ".mlp.down_proj.weight"})
            EXPECT_EQ(got.at("model.layers." + std::to_string(to) + name),
                      from.at("model.layers." + std::to_string(of) + name))
                << to << name;
    EXPECT_EQ(Json::parse(read_file(made / "config.json"))["num_hidden_layers"], 3);
}

TEST(Merge, FusesExperts) {
    const TemporaryFolder folder;
    std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors;
    const std::string layer = "model.layers.0.block_sparse_moe.";
    for (const char* expert : {"1", "0"})
        for (const char* matrix : {"w3", "w2", "w1"})
            tensors.emplace_back(layer + "experts." + expert + "." + matrix + ".weight",
                                 *matrix == 'w' && matrix[1] == '2'
                                     ? std::vector<std::uint64_t>{8, 4}
                                     : std::vector<std::uint64_t>{4, 8});
    tensors.emplace_back(layer + "gate.weight", std::vector<std::uint64_t>{2, 8});
    write_model(folder.path() / "moe", 1, 1, tensors);
    const MergeSource source({folder.path() / "moe", {}}, {.fuse_experts = true});
    const auto parts = tensors_of(folder.path() / "moe");
    const auto bytes = [&](const char* name) {
        const SourceTensor* tensor = source.find("model.layers.0.mlp." + std::string(name));
        if (!tensor) return std::string("not there");
        const LoadedTensor loaded = source.load(*tensor, 1);
        return std::string(reinterpret_cast<const char*>(loaded.data.data()), loaded.data.size());
    };
    const auto expert = [&](const char* name) {
        return parts.at(layer + "experts." + name + ".weight");
    };
    ASSERT_EQ(source.tensors().size(), 3);
    EXPECT_EQ(bytes("experts.gate_up_proj"),
              expert("0.w1") + expert("0.w3") + expert("1.w1") + expert("1.w3"));
    EXPECT_EQ(bytes("experts.down_proj"), expert("0.w2") + expert("1.w2"));
    EXPECT_EQ(bytes("gate.weight"), parts.at(layer + "gate.weight"));
    EXPECT_EQ(source.find("model.layers.0.mlp.experts.gate_up_proj")->shape,
              (std::vector<std::uint64_t>{2, 8, 8}));
}

TEST(Merge, TakesTheMeanOfFusedRouters) {
    const TemporaryFolder folder;
    const std::string layer = "model.layers.0.block_sparse_moe.";
    std::vector<std::pair<std::string, std::vector<std::uint64_t>>> tensors{
        {layer + "gate.weight", {1, 8}}};
    for (const char* matrix : {"w1", "w2", "w3"})
        tensors.emplace_back(layer + "experts.0." + matrix + ".weight",
                             std::vector<std::uint64_t>{8, 8});
    std::string config = "merge_method: supermario\nparameters: {p: 0.5, lambda: 1}\nmodels:\n";
    for (const char* name : {"base", "abs", "rel"}) {
        write_model(folder.path() / name, static_cast<std::uint32_t>(*name), 1, tensors);
        config += "  - model: " + (folder.path() / name).string() + "\n";
    }
    const auto router = [&](bool fuse, const std::string& name) {
        MergeOptions options = plain();
        options.source.fuse_experts = fuse;
        const fs::path to = folder.path() / (fuse ? "fused" : "apart");
        merge_models(parse_merge_config("config", config), to, options);
        return tensors_of(to).at(name);
    };
    EXPECT_EQ(router(true, "model.layers.0.mlp.gate.weight"), router(false, layer + "gate.weight"));
}

TEST(Merge, RoundsAdaptersNowhereWhenPrecise) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    const std::string config =
        "models: [{model: inputs/mistral-bf16/base+inputs/lora-mistral-bf16}]\n"
        "merge_method: linear\nparameters: {weight: 1}\ndtype: bfloat16\n";
    const auto rounded_once = tensors_of(merged(inputs, config, plain(), folder.path()));
    MergeOptions options = plain();
    options.plan.precise = options.source.precise = true;
    const auto exact =
        tensors_of(merged(inputs, config + "out_dtype: float32\n", options, folder.path()));
    std::size_t finer = 0;
    for (const auto& [name, tensor] : rounded_once)
        for (std::size_t i = 0; i < tensor.size() / 2; ++i) {
            float value = 0;
            std::memcpy(&value, exact.at(name).data() + sizeof value * i, sizeof value);
            ASSERT_EQ(RoundToBf16{}(value), value_of(tensor, i)) << name << " " << i;
            finer += value != value_of(tensor, i);
        }
    EXPECT_GT(finer, 20000);  // of 88384 elements, most of them changed by the adapter
}

// Each element has a divisor of its own where signs are elected.
TEST(Merge, TakesOpposedWeightsWhereSignsAreElected) {
    const TemporaryFolder folder;
    std::uint32_t seed = 0;
    for (const char* name : {"base", "abs", "rel"})
        write_model(folder.path() / name, ++seed, 1, {{"model.norm.weight", {16}}});
    std::string config = config_of(folder.path(), "ties", "weight: 1");
    config.replace(config.find("weight: 1", config.find("rel")), 9, "weight: -1");
    merge_models(parse_merge_config("config", config), folder.path() / "out", plain());
    const auto values = [&](const char* name) {
        std::vector<float> all;
        const std::string tensor = tensors_of(folder.path() / name).at("model.norm.weight");
        for (std::size_t i = 0; i < 16; ++i) all.push_back(value_of(tensor, i));
        return all;
    };
    const auto base = values("base"), abs = values("abs"), rel = values("rel"), out = values("out");
    std::size_t agreeing = 0;
    for (std::size_t i = 0; i < 16; ++i) {
        const float one = abs[i] - base[i], other = base[i] - rel[i];
        if (one * other >= 0) continue;  // of one sign: the weights cancel, or one is 0
        ++agreeing;
        // The greater one alone, by its own weight.
        const float kept = std::abs(one) > std::abs(other) ? one : -other;
        EXPECT_NEAR(out[i], base[i] + kept, 0.01f) << i;
    }
    EXPECT_GT(agreeing, 2);
}

TEST(Merge, LeavesNothingWhenItIsInterrupted) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    const MergeConfig config = parse_merge_config("config", inputs.located(std::string(linear)));
    const auto interrupt = [](std::uint64_t, std::uint64_t) { throw Error("interrupted"); };
    expect_error([&] { merge_models(config, folder.path() / "out", plain(), interrupt); },
                 {"interrupted"});
    EXPECT_TRUE(fs::is_empty(folder.path()));
}

// ---- adapters

class Adapter : public testing::Test {
protected:
    Adapter() {
        fs::create_directory(to());
        for (const char* name : {"adapter_config.json", "adapter_model.safetensors"})
            fs::copy_file(data("merge/inputs/lora-mistral-bf16") / name, to() / name);
    }
    fs::path to() const { return folder_.path() / "adapter"; }
    void set(const std::string& key, const Json& value) const {
        const fs::path path = to() / "adapter_config.json";
        Json config = Json::parse(read_file(path));
        config[key] = value;
        fs::remove(path);
        std::ofstream(path) << config;
    }
    MergeSource opened() const {
        return MergeSource({(inputs_.folder() / "inputs/mistral-bf16/base").string(), to()}, {});
    }
    std::string folded(const char* name) const {
        const MergeSource source = opened();
        const LoadedTensor tensor = source.load(*source.find(name), 1);
        return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
    }

    MergeInputs inputs_;
    TemporaryFolder folder_;
};

TEST_F(Adapter, NamesWhatItCannotFold) {
    struct Case {
        const char* key;
        Json value;
        std::string part;
    };
    for (const auto& [key, value, part] :
         std::vector<Case>{{"peft_type", "LOHA", "peft_type: \"LOHA\""},
                           {"use_dora", true, "use_dora: true"},
                           {"alora_invocation_tokens", {1, 2}, "alora_invocation_tokens: [1,2]"},
                           {"arrow_config", {{"top_k", 3}}, "arrow_config"},
                           {"use_rslora", "yes", "use_rslora: \"yes\""},
                           {"rank_pattern", 4, "rank_pattern: 4"},
                           {"r", 99, "r is 99"},
                           {"lora_alpha", nullptr, "lora_alpha: null"}}) {
        const Json before = Json::parse(read_file(to() / "adapter_config.json"));
        set(key, value);
        expect_error([&] { opened(); }, {"adapter", part});
        set(key, before[key]);
    }
    EXPECT_EQ(error_of([&] { opened(); }), "");
    fs::remove(to() / "adapter_config.json");
    expect_error([&] { opened(); }, {"adapter_config.json"});
}

TEST_F(Adapter, NamesTheTensorThatDoesNotFit) {
    const auto write =
        [&](const std::vector<std::pair<std::string, std::vector<std::uint64_t>>>& tensors) {
            fs::remove(to() / "adapter_model.safetensors");
            SafetensorsWriter writer(to(), 1 << 20);
            for (const auto& [name, shape] : tensors) writer.add(name, Format::f32, shape);
            writer.write_headers();
            for (std::size_t i = 0; i < tensors.size(); ++i)
                writer.write(
                    i, 0, std::vector<std::byte>(4 * tensors[i].second[0] * tensors[i].second[1]));
            writer.finish();
            fs::rename(to() / single_file, to() / "adapter_model.safetensors");
        };
    const std::string q = "base_model.model.model.layers.0.self_attn.q_proj";
    write({{q + ".lora_A.weight", {4, 64}}});
    expect_error([&] { opened(); }, {"q_proj.weight: has only one of lora_A and lora_B"});
    write({{q + ".lora_A.weight", {4, 64}}, {q + ".lora_B.weight", {64, 3}}});
    expect_error([&] { opened(); }, {"lora_A of rank 4, lora_B of 3"});
    write({{"base_model.model.nothing.lora_A.weight", {4, 64}},
           {"base_model.model.nothing.lora_B.weight", {64, 4}}});
    expect_error([&] { opened(); }, {"nothing.weight: not in"});
    write({{q + ".lora_A.weight", {4, 64}}, {q + ".lora_B.weight", {60, 4}}});
    expect_error([&] { folded("model.layers.0.self_attn.q_proj.weight"); },
                 {"q_proj.weight: changes 60 x 64, the model has 64 x 64"});
}

// alpha / sqrt(r): of r 4 and alpha 8 what alpha 16 gives without.
TEST_F(Adapter, IsScaledByTheRootOfItsRank) {
    const char* name = "model.layers.0.mlp.up_proj.weight";
    const std::string plain = folded(name);
    set("use_rslora", true);
    const std::string stabilised = folded(name);
    EXPECT_NE(stabilised, plain);
    set("use_rslora", false);
    set("lora_alpha", 16);
    EXPECT_EQ(stabilised, folded(name));
}

TEST(Merge, SaysWhatItIsMadeOf) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    const std::string config = inputs.located(std::string(linear));
    MergeOptions options;
    options.version = "1.2.3";
    options.plan.allowed.unknown_keys = true;
    merge_models(parse_merge_config("config", config, options.plan.allowed), folder.path() / "out",
                 options);
    const Json made = Json::parse(read_file(folder.path() / "out/assay_merge.json"));
    EXPECT_EQ(made["program"], "assay 1.2.3");
    EXPECT_EQ(made["method"], "linear");
    EXPECT_EQ(made["arithmetic"], "mergekit");
    EXPECT_EQ(made["working_dtype"], "bfloat16");
    EXPECT_EQ(made["allowed"], Json({"unknown-keys"}));
    EXPECT_FALSE(made.contains("seed"));
    const fs::path abs = inputs.folder() / "inputs/mistral-bf16/abs";
    ASSERT_EQ(made["inputs"].size(), 2);
    EXPECT_EQ(made["inputs"][0]["model"], abs.string());
    EXPECT_EQ(made["inputs"][0]["sha256"],
              Fingerprint({abs / "config.json", abs / "model.safetensors"}).sha256());
    EXPECT_EQ(read_file(folder.path() / "out/mergekit_config.yml"), config);
}

double bf16_step(float x) { return x == 0 ? 0 : std::ldexp(1.0, std::ilogb(x) - 7); }

// The demo's merge was made of f32 weights, of which the specialists' files are roundings: it may
// be half a step of either result and half a step of the mean of both inputs' away.
TEST(Merge, IsNearTheDemoJudgesMergeOfF32Weights) {
    const fs::path judges = shared_data("demo-judge");
    if (!fs::exists(judges / "tiny-abs")) GTEST_SKIP() << "no " << judges;
    const TemporaryFolder folder;
    const std::string config =
        "models:\n  - {model: " + (judges / "tiny-abs").string() +
        ", parameters: {weight: 0.5}}\n  - {model: " + (judges / "tiny-rel").string() +
        ", parameters: {weight: 0.5}}\nmerge_method: linear\ndtype: bfloat16\n";
    merge_models(parse_merge_config("config", config), folder.path() / "out", plain());
    const auto got = tensors_of(folder.path() / "out"), wanted = tensors_of(judges / "tiny-merged"),
               abs = tensors_of(judges / "tiny-abs"), rel = tensors_of(judges / "tiny-rel");
    ASSERT_EQ(got.size(), wanted.size());
    for (const auto& [name, tensor] : wanted)
        for (std::size_t i = 0; i < tensor.size() / 2; ++i) {
            const float x = value_of(got.at(name), i), y = value_of(tensor, i),
                        a = value_of(abs.at(name), i), b = value_of(rel.at(name), i);
            const double half_steps = bf16_step(x) / 2 + bf16_step(y) / 2;
            ASSERT_LE(std::abs(double{x} - y), half_steps + (bf16_step(a) + bf16_step(b)) / 4)
                << name << " " << i;
        }
    const Checkpoint opened(folder.path() / "out");  // with its config and tokenizer
    EXPECT_EQ(opened.tokenizer().vocab_size(), 2560);
}

// ---- what goes wrong leaves nothing

TEST(Merge, ReplacesNothing) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    const fs::path to = folder.path() / "there";
    folder.write("there/precious", "kept");
    const MergeConfig config = parse_merge_config("config", inputs.located(std::string(linear)));
    expect_error([&] { merge_models(config, to, plain()); }, {"there", "is there already"});
    EXPECT_EQ(read_file(to / "precious"), "kept");
    expect_error([&] { merge_models(config, folder.path() / "no/out", plain()); },
                 {"no/out", "No such file"});
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Merge, NamesTheFileThatIsCutOff) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    const fs::path model = folder.path() / "cut";
    fs::copy(inputs.folder() / "inputs/mistral-bf16/rel", model);
    fs::permissions(model / single_file, fs::perms::owner_all);
    fs::resize_file(model / single_file, 100000);
    std::string config = inputs.located(std::string(linear));
    const std::string rel = (inputs.folder() / "inputs/mistral-bf16/rel").string();
    config.replace(config.find(rel), rel.size(), model.string());
    expect_error(
        [&] { merge_models(parse_merge_config("config", config), folder.path() / "out", plain()); },
        {"cut/model.safetensors", "the file holds"});
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Merge, LeavesNothingWhereThereIsNoSpace) {
    const MergeInputs inputs;
    const TemporaryFolder folder;
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit small{100000, before.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_error([&] { merged(inputs, std::string(linear), plain(), folder.path()); },
                 {"model.safetensors: cannot be written", "File too large"});
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Merge, LosesNoLayer) {
    const TemporaryFolder folder;
    for (const char* name : {"base", "abs", "rel"})
        write_model(folder.path() / name, 1, *name == 'a' ? 1 : 2,
                    {{"model.layers.0.w", {4}}, {"model.layers.1.w", {4}}});
    const auto merge = [&](const std::string& config) {
        merge_models(parse_merge_config("config", config), folder.path() / "out", plain());
    };
    const std::string config = config_of(folder.path(), "task_arithmetic", "weight: 1");
    expect_error([&] { merge(config); }, {"abs: model.layers.1.w", "1 layers"});
    write_model(folder.path() / "cut", 1, 2, {{"model.layers.0.w", {4}}});
    expect_error(
        [&] {
            merge("models: [{model: " + (folder.path() / "cut").string() +
                  "}, {model: " + (folder.path() / "rel").string() +
                  "}]\nmerge_method: linear\nparameters: {weight: 1}\n");
        },
        {"rel: model.layers.1.w", "not in", "cut"});
}

}  // namespace
}  // namespace assay::test
