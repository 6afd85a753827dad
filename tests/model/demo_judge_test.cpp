// The shipped judge against the reference implementation's tokenizer and greedy answers on 18
// prompts.
#include <gtest/gtest.h>

#include <algorithm>

#include "model/formats/dequantise.h"
#include "tests/model/test_files.h"
#include "tests/reference/reference.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/loaded_model.h"
#include "tests/support/tiny_model.h"

namespace assay {
namespace {

struct File {
    const char* name;
    std::filesystem::path path;  // empty: made from the F16 file
    // Choices that lead by less than this many logits are not compared. F16, and F32 made of it,
    // hold the bf16 weights but for those below its range, so that only the order of sums differs.
    // Q8_0 moves each weight by up to 1/254 of its block's greatest, 0.4 % of a standard deviation
    // at worst; two logits of some 10 then differ by up to about a tenth.
    float least_margin;
    friend void PrintTo(const File& file, std::ostream* out) { *out << file.name; }
};

const std::filesystem::path f16_file = resolve_model("demo");

// A weight of a GGUF file in f32, in Hugging Face's order of rows.
std::vector<float> in_f32(const Checkpoint& checkpoint, const FileTensor& tensor) {
    std::vector<float> values(tensor.rows() * tensor.columns());
    dequantise(tensor.format, tensor.data, values);
    const bool permuted =
        tensor.name.ends_with("q_proj.weight") || tensor.name.ends_with("k_proj.weight");
    if (!permuted || !checkpoint.permuted_qk()) return values;
    const std::size_t columns = tensor.columns();
    std::vector<float> ordered;
    for (std::uint32_t row = 0; row < tensor.rows(); ++row) {
        const auto from = std::span(values).subspan(
            unpermuted_row(row, checkpoint.config().head_dim) * columns, columns);
        ordered.insert(ordered.end(), from.begin(), from.end());
    }
    return ordered;
}

// The F16 file as a Hugging Face directory of f32 weights.
void write_f32_judge(const std::filesystem::path& folder) {
    const Checkpoint checkpoint(f16_file);
    const Config& c = checkpoint.config();
    test::TinyModel model{.config = {{"architectures", {"MistralForCausalLM"}},
                                     {"model_type", "mistral"},
                                     {"hidden_size", c.hidden_size},
                                     {"intermediate_size", c.intermediate_size},
                                     {"num_hidden_layers", c.num_hidden_layers},
                                     {"num_attention_heads", c.num_attention_heads},
                                     {"num_key_value_heads", c.num_key_value_heads},
                                     {"head_dim", c.head_dim},
                                     {"vocab_size", c.vocab_size},
                                     {"max_position_embeddings", c.max_position_embeddings},
                                     {"rms_norm_eps", c.rms_norm_eps},
                                     {"rope_theta", c.rope_theta},
                                     {"sliding_window", nullptr},
                                     {"tie_word_embeddings", c.tie_word_embeddings},
                                     {"hidden_act", "silu"},
                                     {"bos_token_id", c.bos_token_id},
                                     {"eos_token_id", c.eos_token_ids.front()},
                                     {"torch_dtype", "float32"}},
                          .weights = {}};
    if (c.sliding_window) model.config["sliding_window"] = c.sliding_window;
    for (const FileTensor& tensor : checkpoint.tensors())
        model.weights[tensor.name] = in_f32(checkpoint, tensor);
    test::write_checkpoint(model, folder);
}

class DemoJudge : public testing::TestWithParam<File> {};

TEST_P(DemoJudge, SameIdsAndSameGreedyChoices) {
    const test::TemporaryFolder folder;
    const bool is_made = GetParam().path.empty();
    if (is_made) write_f32_judge(folder.path());
    test::LoadedModel judge(test::device(), is_made ? folder.path() : GetParam().path,
                            {.kv = Cache::f32, .context = 1024});
    const Tokenizer tokenizer = is_made ? open_tokenizer(f16_file) : judge.checkpoint.tokenizer();
    const std::size_t vocabulary = judge.checkpoint.config().vocab_size;
    std::size_t compared = 0;
    const auto golden = test::read_json(test::data("demo-judge/golden.json"));
    ASSERT_EQ(golden.at("items").size(), 18u);
    for (const auto& item : golden.at("items")) {
        std::vector<TokenId> ids{tokenizer.bos_id()};
        const auto text = tokenizer.encode(item.at("prompt").get<std::string>());
        ids.insert(ids.end(), text.begin(), text.end());
        EXPECT_EQ(ids, item.at("prompt_ids").get<std::vector<TokenId>>());

        const auto completion = item.at("completion_ids").get<std::vector<TokenId>>();
        const auto margins = item.at("margins").get<std::vector<float>>();
        Sequence sequence(judge.engine);
        const Work prompt{.sequence = &sequence, .tokens = std::span(ids).first(ids.size() - 1)};
        judge.engine.step({&prompt, 1});
        std::vector<TokenId> rest{ids.back()};
        rest.insert(rest.end(), completion.begin(), completion.end() - 1);
        const Work work{.sequence = &sequence, .tokens = rest, .logits = Work::all};
        const std::vector<float> logits = judge.engine.step({&work, 1})[0].logits;
        for (std::size_t i = 0; i < completion.size(); ++i) {
            if (margins[i] <= GetParam().least_margin) continue;
            const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * vocabulary);
            EXPECT_EQ(std::max_element(row, row + static_cast<std::ptrdiff_t>(vocabulary)) - row,
                      completion[i])
                << "step " << i;
            ++compared;
        }
    }
    EXPECT_GT(compared, 500u);
}

INSTANTIATE_TEST_SUITE_P(All, DemoJudge,
                         testing::Values(File{"F32", "", 1e-3f}, File{"F16", f16_file, 1e-3f},
                                         File{"Q8_0", test::data("demo-judge/tiny-judge-Q8_0.gguf"),
                                              0.1f}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace assay
