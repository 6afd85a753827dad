#include "model/formats/quantise_mix.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "model/checkpoint.h"
#include "model/formats/gguf.h"
#include "tests/model/test_files.h"

namespace assay {
namespace {

MixedModel shape_of(const Config& c) {
    return {.layers = c.num_hidden_layers,
            .heads = c.num_attention_heads,
            .key_value_heads = c.num_key_value_heads,
            .experts = c.num_local_experts,
            .tied_embeddings = c.tie_word_embeddings};
}

// These files were made by llama-quantize.
TEST(Mixes, AreThoseOfLlamaCppsFiles) {
    int files = 0;
    for (const char* model : {"a_mistral_gqa", "c_mixtral_4x_top2", "moe_kquant"})
        for (const Mix& mix : mixes()) {
            const auto path = test::data("gguf/" + std::string(model) + "/" + model + "." +
                                         std::string(mix.name) + ".gguf");
            if (!std::filesystem::exists(path)) continue;
            ++files;
            const MappedFile file(path);
            const Gguf content = read_gguf(file);
            const MixedModel shape = shape_of(Checkpoint(path).config());
            EXPECT_EQ(content.metadata.get<std::uint64_t>("general.file_type"), mix.file_type);
            for (const FileTensor& tensor : content.tensors.tensors)
                EXPECT_EQ(info(choose_format(mix, shape, tensor.name, tensor.columns())).name,
                          info(tensor.format).name)
                    << path << " " << tensor.name;
        }
    EXPECT_GE(files, 8);
}

// One letter per layer, as llama-quantize 0.7 --dry-run says: the formats of attn_v, attn_output
// and ffn_down where they differ from the mix's own, which is a dot.
std::string layers_of(const Mix& mix, const MixedModel& model, const std::string& tensor) {
    static const std::map<Format, char> letters{{Format::q3_k, '3'}, {Format::q4_k, '4'},
                                                {Format::q5_k, '5'}, {Format::q6_k, '6'},
                                                {Format::q8_0, '8'}, {Format::q4_1, '1'}};
    std::string text;
    for (std::uint32_t layer = 0; layer < model.layers; ++layer) {
        const Format format = choose_format(
            mix, model, "blk." + std::to_string(layer) + "." + tensor + ".weight", 4096);
        text += format == mix.format ? '.' : letters.at(format);
    }
    return text;
}

TEST(Mixes, GiveLayersWhatLlamaCppDoes) {
    const MixedModel mistral{.layers = 32, .heads = 32, .key_value_heads = 8};
    const MixedModel llama{.layers = 32, .heads = 32, .key_value_heads = 32};
    const MixedModel mixtral{.layers = 32, .heads = 32, .key_value_heads = 8, .experts = 8};
    const MixedModel large{.layers = 80, .heads = 64, .key_value_heads = 8};
    const auto layers = [](const char* mix, const MixedModel& model, const char* tensor) {
        return layers_of(*find_mix(mix), model, tensor);
    };
    EXPECT_EQ(layers("Q4_K_M", mistral, "attn_v"), "6666..6..6..6..6..6..6..6..66666");
    EXPECT_EQ(layers("Q4_K_M", mistral, "ffn_down"), "6666..6..6..6..6..6..6..6..66666");
    EXPECT_EQ(layers("Q5_K_M", mixtral, "ffn_down_exps"), "6666..6..6..6..6..6..6..6..66666");
    EXPECT_EQ(layers("Q4_K_M", mixtral, "attn_v"), std::string(32, '8'));
    EXPECT_EQ(layers("Q4_K_M", mixtral, "attn_k"), std::string(32, '8'));
    EXPECT_EQ(layers("Q4_K_M", mixtral, "attn_output"), std::string(32, '5'));
    EXPECT_EQ(layers("Q4_K_S", mistral, "attn_v"), "5555" + std::string(28, '.'));
    EXPECT_EQ(layers("Q3_K_M", mistral, "ffn_down"), "55" + std::string(30, '4'));
    EXPECT_EQ(layers("Q3_K_M", llama, "attn_output"), std::string(32, '4'));
    EXPECT_EQ(layers("Q2_K", mistral, "attn_v"), std::string(32, '4'));
    EXPECT_EQ(layers("Q2_K", llama, "attn_v"), std::string(32, '3'));
    EXPECT_EQ(layers("IQ4_XS", mistral, "attn_v"), std::string(32, '5'));
    EXPECT_EQ(layers("IQ4_XS", llama, "attn_v"), std::string(32, '.'));
    EXPECT_EQ(layers("Q3_K_S", large, "attn_v"), std::string(80, '5'));
}

TEST(Mixes, HaveOtherNames) {
    EXPECT_EQ(find_mix("q4_k"), find_mix("Q4_K_M"));
    EXPECT_EQ(find_mix("bf16")->format, Format::bf16);
    EXPECT_EQ(find_mix("Q4_K_L"), nullptr);
    EXPECT_EQ(find_mix(""), nullptr);
}

TEST(Mixes, TakeOtherFormatsForRowsOfNoWholeBlocks) {
    const MixedModel model{.layers = 1, .heads = 1, .key_value_heads = 1};
    const auto format = [&](const char* mix, std::uint64_t columns) {
        return info(choose_format(*find_mix(mix), model, "blk.0.ffn_up.weight", columns)).name;
    };
    EXPECT_EQ(format("Q4_K_M", 11008), "q4_k");
    EXPECT_EQ(format("Q4_K_M", 11040), "q5_0");
    EXPECT_EQ(format("Q5_K_S", 11040), "q5_1");
    EXPECT_EQ(format("Q6_K", 11040), "q8_0");
    EXPECT_EQ(format("Q2_K", 11040), "q4_0");
    EXPECT_EQ(format("IQ4_XS", 11040), "iq4_nl");
    EXPECT_EQ(format("Q8_0", 11048), "f16");
}

}  // namespace
}  // namespace assay
