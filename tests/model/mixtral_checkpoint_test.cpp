// Checkpoints with experts: every way that files store them, and what may be wrong with it.
#include <functional>
#include <map>

#include "model/checkpoint.h"
#include "tests/model/test_files.h"
#include "tests/support/tiny_model.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::expect_error;
using test::Experts;
using test::GgufBuilder;
using test::TinyModel;

TinyModel tiny_mixtral(std::size_t experts = 3) {
    return test::make_tiny_model({{"architectures", {"MixtralForCausalLM"}},
                                  {"model_type", "mixtral"},
                                  {"num_local_experts", experts},
                                  {"num_experts_per_tok", 1}});
}

// The mappings outlive the files.
Checkpoint open(const GgufBuilder& file) {
    const test::TemporaryFolder folder;
    return Checkpoint(folder.write("model.gguf", file.bytes()));
}
Checkpoint open(const TinyModel& model, Experts experts) {
    const test::TemporaryFolder folder;
    write_checkpoint(model, folder.path(), experts);
    return Checkpoint(folder.path());
}

std::vector<float> floats(const FileTensor& tensor) {
    std::vector<float> values(tensor.data.size() / sizeof(float));
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    return values;
}

TEST(Mixtral, EveryFormGivesTheSameWeights) {
    struct Form {
        const char* name;
        Checkpoint (*open)(const TinyModel&);
    };
    const Form forms[] = {
        {"hf_single", [](const TinyModel& m) { return open(m, Experts::single); }},
        {"hf_stacked", [](const TinyModel& m) { return open(m, Experts::stacked); }},
        {"gguf_single", [](const TinyModel& m) { return open(gguf_of(m, Experts::single)); }},
        {"gguf_stacked", [](const TinyModel& m) { return open(gguf_of(m, Experts::stacked)); }},
    };
    for (const std::size_t experts : {1u, 3u, 12u}) {
        const TinyModel model = tiny_mixtral(experts);
        for (const Form& form : forms) {
            SCOPED_TRACE(std::string(form.name) + ", experts: " + std::to_string(experts));
            const Checkpoint checkpoint = form.open(model);
            EXPECT_EQ(checkpoint.config().architecture, "MixtralForCausalLM");
            EXPECT_EQ(checkpoint.config().num_local_experts, experts);
            EXPECT_EQ(checkpoint.tensors().size(), model.weights.size());
            for (const auto& [name, expected] : model.weights) {
                const bool permuted =
                    checkpoint.permuted_qk() &&
                    (name.ends_with("q_proj.weight") || name.ends_with("k_proj.weight"));
                if (permuted) continue;
                EXPECT_EQ(floats(checkpoint.tensor(name)), expected) << name;
            }
            const auto shape = [&](const std::string& part) {
                return checkpoint.tensor("model.layers.1.block_sparse_moe." + part).shape;
            };
            using Shape = std::vector<std::uint64_t>;
            EXPECT_EQ(shape("gate.weight"), (Shape{experts, 64}));
            EXPECT_EQ(shape("experts.0.w1.weight"), (Shape{96, 64}));
            EXPECT_EQ(shape("experts.0.w2.weight"), (Shape{64, 96}));
        }
    }
}

// Slices of a stack are parts of the file, in its order.
TEST(Mixtral, StacksAreNotCopied) {
    const Checkpoint checkpoint = open(tiny_mixtral(), Experts::stacked);
    const std::string experts = "model.layers.0.block_sparse_moe.experts.";
    const auto data = [&](const char* part) { return checkpoint.tensor(experts + part).data; };
    EXPECT_EQ(data("0.w3.weight").data(), data("0.w1.weight").data() + data("0.w1.weight").size());
    EXPECT_EQ(data("1.w1.weight").data(), data("0.w3.weight").data() + data("0.w3.weight").size());
    EXPECT_EQ(data("2.w2.weight").data(), data("1.w2.weight").data() + data("1.w2.weight").size());
}

TEST(Mixtral, LayersMayBeStoredInDifferentForms) {
    const TinyModel model = tiny_mixtral();
    GgufBuilder file = gguf_of(model, Experts::stacked);
    const GgufBuilder single = gguf_of(model, Experts::single);
    std::erase_if(file.tensors, [](auto& t) { return t.name == "blk.1.ffn_up_exps.weight"; });
    for (const auto& tensor : single.tensors)
        if (tensor.name.starts_with("blk.1.ffn_up."))
            file.add_tensor(tensor.name, tensor.dimensions, tensor.type,
                            single.data.substr(tensor.offset, 4 * 96 * 64));
    const Checkpoint checkpoint = open(file);
    for (const char* name : {"model.layers.0.block_sparse_moe.experts.2.w3.weight",
                             "model.layers.1.block_sparse_moe.experts.2.w3.weight"})
        EXPECT_EQ(floats(checkpoint.tensor(name)), model.weights.at(name));
}

TEST(Mixtral, ConfigsThatContradictTheFileAreNamed) {
    struct Contradiction {
        json changes;
        Experts experts;
        std::vector<std::string> in_error;
    };
    const std::string layer = "model.layers.0.";
    for (const auto& [changes, experts, in_error] : {
             Contradiction{{{"num_local_experts", 2}},
                           Experts::single,
                           {layer + "block_sparse_moe.experts.2.w1.weight: in the file",
                            "its config has 2 experts"}},
             {{{"num_local_experts", 4}},
              Experts::single,
              {layer + "block_sparse_moe.gate.weight: 3 x 64 in the file, 4 x 64 from"}},
             {{{"num_local_experts", 4}},
              Experts::stacked,
              {layer + "mlp.experts.down_proj: 3 x 64 x 96 in the file, 4 x 64 x 96 from"}},
             {{{"num_local_experts", 2}},
              Experts::stacked,
              {layer + "mlp.experts.down_proj: 3 x 64 x 96 in the file, 2 x 64 x 96 from"}},
             {{{"intermediate_size", 64}},
              Experts::stacked,
              {layer + "mlp.experts.down_proj: 3 x 64 x 96 in the file, 3 x 64 x 64 from"}},
             {{{"num_hidden_layers", 3}},
              Experts::stacked,
              {"model.layers.2.input_layernorm.weight: not in the file"}},
             {{{"architectures", {"MistralForCausalLM"}}},
              Experts::stacked,
              {layer + "mlp.gate_proj.weight: not in the file"}},
         }) {
        SCOPED_TRACE(changes.dump());
        const test::TemporaryFolder folder;
        TinyModel model = tiny_mixtral();
        write_checkpoint(model, folder.path(), experts);
        model.config.update(changes);
        folder.write("config.json", model.config.dump());
        expect_error([&] { Checkpoint{folder.path()}; }, in_error);
    }
}

TEST(Mixtral, BrokenExpertsAreNamed) {
    using Tensors = std::vector<GgufBuilder::Tensor>;
    struct Corruption {
        const char* name;
        Experts experts;
        const char* tensor;
        void (*corrupt)(GgufBuilder&, Tensors::iterator);
        std::vector<std::string> in_error;
    };
    const Corruption corruptions[] = {
        {"missing",
         Experts::single,
         "blk.1.ffn_down.2.weight",
         [](GgufBuilder& b, Tensors::iterator t) { b.tensors.erase(t); },
         {"model.layers.1.block_sparse_moe.experts.2.w2.weight: not in the file"}},
        {"missing stack",
         Experts::stacked,
         "blk.1.ffn_up_exps.weight",
         [](GgufBuilder& b, Tensors::iterator t) { b.tensors.erase(t); },
         {"model.layers.1.block_sparse_moe.experts.0.w3.weight: not in the file"}},
        {"missing router",
         Experts::stacked,
         "blk.0.ffn_gate_inp.weight",
         [](GgufBuilder& b, Tensors::iterator t) { b.tensors.erase(t); },
         {"model.layers.0.block_sparse_moe.gate.weight: not in the file"}},
        {"one too many",
         Experts::single,
         "blk.1.ffn_down.2.weight",
         [](GgufBuilder&, Tensors::iterator t) { t->name = "blk.1.ffn_down.3.weight"; },
         {"model.layers.1.block_sparse_moe.experts.3.w2.weight: in the file", "has 3 experts"}},
        {"no number",
         Experts::single,
         "blk.1.ffn_down.2.weight",
         [](GgufBuilder&, Tensors::iterator t) { t->name = "blk.1.ffn_down.0x2\n.weight"; },
         {"experts.0x2\\x0a.w2.weight: in the file", "has 3 experts"}},
        {"leading zero",
         Experts::single,
         "blk.1.ffn_down.2.weight",
         [](GgufBuilder&, Tensors::iterator t) { t->name = "blk.1.ffn_down.02.weight"; },
         {"experts.02.w2.weight: in the file", "has 3 experts"}},
        {"stacked and single",
         Experts::stacked,
         "blk.0.attn_output.weight",
         [](GgufBuilder& b, Tensors::iterator) {
             b.add_tensor("blk.0.ffn_up.1.weight", {64, 96}, 0, std::string(4 * 96 * 64, '\0'));
         },
         {"model.layers.0.block_sparse_moe.experts.1.w3.weight: is there twice"}},
        {"turned",
         Experts::single,
         "blk.1.ffn_down.2.weight",
         [](GgufBuilder&, Tensors::iterator t) { std::swap(t->dimensions[0], t->dimensions[1]); },
         {"experts.2.w2.weight: 96 x 64 in the file, 64 x 96 from its config"}},
        {"turned stack",
         Experts::stacked,
         "blk.1.ffn_down_exps.weight",
         [](GgufBuilder&, Tensors::iterator t) { std::swap(t->dimensions[0], t->dimensions[1]); },
         {"blk.1.ffn_down_exps.weight: 3 x 96 x 64 in the file, 3 x 64 x 96 from"}},
        {"experts innermost",
         Experts::stacked,
         "blk.1.ffn_down_exps.weight",
         [](GgufBuilder&, Tensors::iterator t) {
             t->dimensions = {3, 64, 96};
         },
         {"blk.1.ffn_down_exps.weight: 96 x 64 x 3 in the file, 3 x 64 x 96 from"}},
        {"two dimensions",
         Experts::stacked,
         "blk.1.ffn_down_exps.weight",
         [](GgufBuilder&, Tensors::iterator t) {
             t->dimensions = {96, 192};
         },
         {"blk.1.ffn_down_exps.weight: 192 x 96 in the file, 3 x 64 x 96 from"}},
        {"four dimensions",
         Experts::stacked,
         "blk.1.ffn_down_exps.weight",
         [](GgufBuilder&, Tensors::iterator t) {
             t->dimensions = {96, 32, 2, 3};
         },
         {"blk.1.ffn_down_exps.weight: 3 x 2 x 32 x 96 in the file, 3 x 64 x 96 from"}},
        {"fewer experts in one stack",
         Experts::stacked,
         "blk.1.ffn_down_exps.weight",
         [](GgufBuilder&, Tensors::iterator t) { t->dimensions[2] = 2; },
         {"blk.1.ffn_down_exps.weight: 2 x 64 x 96 in the file, 3 x 64 x 96 from"}},
        {"router as a vector",
         Experts::stacked,
         "blk.1.ffn_gate_inp.weight",
         [](GgufBuilder&, Tensors::iterator t) { t->dimensions = {64}; },
         {"block_sparse_moe.gate.weight: 64 in the file, 3 x 64 from its config"}},
        {"type without kernels",
         Experts::stacked,
         "blk.1.ffn_down_exps.weight",
         [](GgufBuilder&, Tensors::iterator t) { t->type = 24; },
         {"blk.1.ffn_down_exps.weight: type I8 is not supported"}},
    };
    for (const auto& [name, experts, tensor, corrupt, in_error] : corruptions) {
        SCOPED_TRACE(name);
        GgufBuilder file = gguf_of(tiny_mixtral(), experts);
        const auto found = std::ranges::find(file.tensors, tensor, &GgufBuilder::Tensor::name);
        ASSERT_NE(found, file.tensors.end());
        corrupt(file, found);
        expect_error([&] { open(file); }, in_error);
    }
}

// What a file announces costs nothing before it is found.
TEST(Mixtral, ManyAnnouncedExpertsAreRefusedAtOnce) {
    TinyModel model = tiny_mixtral();
    const test::TemporaryFolder folder;
    model.config["num_local_experts"] = 1024;
    model.config["num_hidden_layers"] = 1024;
    folder.write("config.json", model.config.dump());
    const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    folder.write("model.safetensors",
                 test::bytes_of(std::uint64_t{header.size()}) + header + "1234");
    expect_error([&] { Checkpoint{folder.path()}; }, {"embed_tokens.weight: not in the file"});
}

}  // namespace
}  // namespace assay
