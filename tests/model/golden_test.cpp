// The forward pass against the answers of the reference implementations.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/formats/dequantise.h"
#include "tests/model/test_files.h"
#include "tests/reference/forward.h"
#include "tests/support/devices.h"
#include "tests/support/loaded_model.h"

namespace assay {
namespace {

constexpr EngineOptions exact{.kv = Cache::f32, .context = 512};

// The share of the logits' standard deviation that float arithmetic in another order may differ by:
// with some 10^3 roundings of 6e-8 on each path through the layers, and what the layers amplify.
constexpr double tolerance = 1e-3;
constexpr double least_margin = 1e-3;  // greedy choices that lead by less are not compared

std::vector<float> rows_at(const std::vector<float>& logits,
                           const std::vector<std::uint32_t>& positions, std::size_t vocabulary) {
    std::vector<float> rows;
    for (std::uint32_t p : positions) {
        const auto row = std::span(logits).subspan(p * vocabulary, vocabulary);
        rows.insert(rows.end(), row.begin(), row.end());
    }
    return rows;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    double largest = 0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
        if (!(difference <= largest)) largest = difference;  // a NaN stays
    }
    return largest;
}

std::size_t greatest(const std::vector<float>& logits, std::size_t row, std::size_t vocabulary) {
    const auto first = logits.begin() + static_cast<std::ptrdiff_t>(row * vocabulary);
    return static_cast<std::size_t>(
        std::max_element(first, first + static_cast<std::ptrdiff_t>(vocabulary)) - first);
}

void expect_golden(test::LoadedModel& loaded, const nlohmann::json& entry,
                   const std::filesystem::path& folder) {
    const std::size_t vocabulary = loaded.checkpoint.config().vocab_size;
    for (const test::GoldenPrompt& prompt : test::golden_prompts(entry, folder)) {
        SCOPED_TRACE(prompt.name);
        std::vector<TokenId> ids = prompt.ids;
        ids.insert(ids.end(), prompt.greedy.begin(), prompt.greedy.end());
        const std::vector<float> logits = loaded.logits(ids);
        const double error =
            largest_difference(rows_at(logits, prompt.positions, vocabulary), prompt.logits) /
            test::deviation(prompt.logits);
        EXPECT_LE(error, tolerance);
        for (std::size_t i = 0; i < prompt.greedy.size(); ++i)
            if (prompt.margins[i] > least_margin) {
                EXPECT_EQ(greatest(logits, prompt.ids.size() - 1 + i, vocabulary), prompt.greedy[i])
                    << "step " << i;
            }
    }
}

class HuggingFaceGolden : public testing::TestWithParam<std::string> {};

TEST_P(HuggingFaceGolden, LogitsAndGreedyChoices) {
    const auto folder = test::data("hf") / GetParam();
    test::LoadedModel loaded(test::device(), folder / "model", exact);
    expect_golden(loaded, test::read_json(folder / "golden.json"), folder);
}

INSTANTIATE_TEST_SUITE_P(All, HuggingFaceGolden,
                         testing::Values("a_mistral_gqa", "b_mistral_window16", "c_mixtral_4x_top2",
                                         "d_llama_mha", "e_mistral_3shards"),
                         [](const auto& test) { return test.param; });

class GgufGolden : public testing::TestWithParam<std::string> {};

TEST_P(GgufGolden, LogitsAndGreedyChoices) {
    const auto folder = test::data("gguf/a_mistral_gqa");
    const std::string file = "a_mistral_gqa." + GetParam() + ".gguf";
    test::LoadedModel loaded(test::device(), folder / file, exact);
    const nlohmann::json golden = test::read_json(folder / "golden.json");
    const auto& files = golden.at("files");
    const auto entry =
        std::find_if(files.begin(), files.end(), [&](auto& f) { return f.at("file") == file; });
    ASSERT_NE(entry, files.end());
    expect_golden(loaded, *entry, folder);
}

INSTANTIATE_TEST_SUITE_P(All, GgufGolden, testing::Values("Q8_0", "Q4_0", "Q6_K"),
                         [](const auto& test) { return test.param; });

// What the tests of other sizes and batches are compared with.
TEST(Golden, TheReferenceInDoubleGivesThem) {
    for (const char* name : {"b_mistral_window16", "c_mixtral_4x_top2"}) {
        const auto folder = test::data("hf") / name;
        const Checkpoint checkpoint(folder / "model");
        test::TinyModel model{test::read_json(folder / "model" / "config.json"), {}};
        model.config["head_dim"] = checkpoint.config().head_dim;
        for (const FileTensor& tensor : checkpoint.tensors()) {
            auto& values = model.weights[tensor.name];
            values.resize(tensor.rows() * tensor.columns());
            dequantise(tensor.format, tensor.data, values);
        }
        for (const auto& prompt :
             test::golden_prompts(test::read_json(folder / "golden.json"), folder)) {
            if (prompt.ids.size() > 64) continue;  // it is slow
            const auto exact_logits = reference::forward(model, prompt.ids);
            const auto logits = rows_at({exact_logits.begin(), exact_logits.end()},
                                        prompt.positions, checkpoint.config().vocab_size);
            EXPECT_LE(largest_difference(logits, prompt.logits),
                      1e-5 * test::deviation(prompt.logits))
                << name << ' ' << prompt.name;
        }
    }
}

TEST(Golden, TheBoundBuildGivesTheSameAndSynchronisesRight) {
    const auto folder = test::data("hf/b_mistral_window16");
    test::LoadedModel loaded(test::bound_device(), folder / "model", exact);
    expect_golden(loaded, test::read_json(folder / "golden.json"), folder);
}

// Half precision moves each key and value by up to 2^-11 of itself. Every layer adds as much to
// what the next ones read, and the greatest of some thousand differences counts, so it comes to
// several times that: 0.0009 to 0.0022 on the five prompts (lavapipe), 2^-9 being 0.0020. With f32
// it is 0.000008.
constexpr double half_precision_tolerance = 8.0 / 2048;

// q8_0 moves each by half a step or less, a step being 1/127 of the greatest of 32: of normal ones,
// that is 2.1 deviations, and so the errors have 2.1 / 127 / sqrt(12) = 0.0048 deviations, 24 times
// those of half precision (2^-11 at most, 0.0002 on the mean square). It comes to 0.024 to 0.059.
constexpr double q8_0_tolerance = 24 * half_precision_tolerance;

// tolerance: of the deviation of the logits.
void expect_close_with_cache(Cache kv, double tolerance_of_cache) {
    const auto folder = test::data("hf/a_mistral_gqa");
    test::LoadedModel loaded(test::device(), folder / "model", {.kv = kv, .context = 512});
    for (const auto& prompt :
         test::golden_prompts(test::read_json(folder / "golden.json"), folder)) {
        const auto logits = rows_at(loaded.logits(prompt.ids), prompt.positions,
                                    loaded.checkpoint.config().vocab_size);
        EXPECT_LE(largest_difference(logits, prompt.logits),
                  tolerance_of_cache * test::deviation(prompt.logits))
            << prompt.name;
    }
}

TEST(Golden, HalfPrecisionCacheIsCloseToTheReference) {
    expect_close_with_cache(Cache::f16, half_precision_tolerance);
}

TEST(Golden, Q8CacheIsCloseToTheReference) { expect_close_with_cache(Cache::q8_0, q8_0_tolerance); }

}  // namespace
}  // namespace assay
