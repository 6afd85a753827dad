// The shipped judge against the reference implementation's tokenizer and greedy answers on 18 prompts.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/model/test_files.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/loaded_model.h"

namespace assay {
namespace {

struct File {
    const char* name;
    std::filesystem::path path;
    // Choices that lead by less than this many logits are not compared. F16 holds the bf16 weights but for those below its
    // range, so that only the order of sums differs. Q8_0 moves each weight by up to 1/254 of its block's greatest, 0.4 %
    // of a standard deviation at worst; two logits of some 10 then differ by up to about a tenth.
    float least_margin;
};

class DemoJudge : public testing::TestWithParam<File> {};

TEST_P(DemoJudge, SameIdsAndSameGreedyChoices) {
    test::LoadedModel judge(test::device(), GetParam().path, {.kv = Cache::f32, .context = 1024});
    const Tokenizer tokenizer = judge.checkpoint.tokenizer();
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
            EXPECT_EQ(std::max_element(row, row + static_cast<std::ptrdiff_t>(vocabulary)) - row, completion[i]) << "step " << i;
            ++compared;
        }
    }
    EXPECT_GT(compared, 500u);
}

INSTANTIATE_TEST_SUITE_P(All, DemoJudge,
                         testing::Values(File{"F16", std::filesystem::path(ASSAY_SOURCE_DIR) / "model/demo/demo-judge.gguf", 1e-3f},
                                         File{"Q8_0", test::data("demo-judge/tiny-judge-Q8_0.gguf"), 0.1f}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace assay
