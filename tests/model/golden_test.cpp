// The forward pass against the answers of the reference implementations.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

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
constexpr float least_gap = 1e-5f;     // experts chosen by less are not compared
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

// What the routers chose, as the forward pass goes.
class RoutingRecord : public ForwardObserver {
public:
    void routed(Stream& s, std::uint32_t layer, const Tensor& experts,
                const Tensor& weights) override {
        Step& step = steps_.emplace_back(Step{layer, experts.row_size(),
                                              std::vector<std::uint32_t>(experts.size()),
                                              std::vector<float>(weights.size())});
        s.download(experts, std::span(step.experts));
        s.download(weights, std::span(step.weights));
    }

    // Every token's choice is the golden one, unless other arithmetic may rightly choose otherwise.
    void expect(const test::GoldenRouting& golden, std::size_t tokens) const {
        std::map<std::uint32_t, std::size_t> seen;  // tokens of each layer
        for (const Step& step : steps_)
            for (std::size_t t = 0; t * step.chosen < step.experts.size(); ++t) {
                const std::size_t token = seen[step.layer]++;
                const std::size_t at = step.layer * tokens + token;
                if (token >= tokens || golden.gap[at] < least_gap) continue;
                for (std::size_t i = 0; i < step.chosen; ++i) {
                    const std::size_t ours = t * step.chosen + i, theirs = at * step.chosen + i;
                    EXPECT_EQ(step.experts[ours], golden.experts[theirs])
                        << "layer " << step.layer << ", token " << token;
                    EXPECT_NEAR(step.weights[ours], golden.weights[theirs], tolerance);
                }
            }
        EXPECT_EQ(seen.size() * tokens, golden.gap.size());
        for (const auto& [layer, count] : seen) EXPECT_GE(count, tokens);
    }
    void clear() { steps_.clear(); }

private:
    struct Step {
        std::uint32_t layer = 0, chosen = 0;
        std::vector<std::uint32_t> experts;  // (tokens, chosen)
        std::vector<float> weights;
    };
    std::deque<Step> steps_;  // which stay in place until they are downloaded
};

// Whether the routers are undecided about a token, so that its logits may rightly differ.
bool undecided(const test::GoldenPrompt& prompt, std::uint32_t position) {
    if (!prompt.routing) return false;
    const std::size_t tokens = prompt.ids.size();
    for (std::size_t at = position; at < prompt.routing->gap.size(); at += tokens)
        if (prompt.routing->gap[at] < least_gap) return true;
    return false;
}

std::vector<double> divergences(const std::vector<float>& logits, const test::GoldenPrompt& prompt,
                                std::size_t vocabulary) {
    const std::vector<float> rows = rows_at(logits, prompt.positions, vocabulary);
    std::vector<double> values;
    for (std::size_t at = 0; at < rows.size(); at += vocabulary)
        values.push_back(test::divergence(std::span(prompt.logits).subspan(at, vocabulary),
                                          std::span(rows).subspan(at, vocabulary)));
    return values;
}

// A model, and what a reference implementation answers with it.
struct Case {
    std::filesystem::path model, folder;
    nlohmann::json answers;
};

void expect_golden(const Case& golden, Device& device = test::device()) {
    RoutingRecord routing;
    EngineOptions options = exact;
    options.observer = &routing;
    test::LoadedModel loaded(device, golden.model, options);
    const std::size_t vocabulary = loaded.checkpoint.config().vocab_size;
    std::vector<double> kl;
    for (const test::GoldenPrompt& prompt : test::golden_prompts(golden.answers, golden.folder)) {
        SCOPED_TRACE(prompt.name);
        routing.clear();
        std::vector<TokenId> ids = prompt.ids;
        ids.insert(ids.end(), prompt.greedy.begin(), prompt.greedy.end());
        const std::vector<float> logits = loaded.logits(ids);
        const double deviation = test::deviation(prompt.logits);
        for (std::size_t i = 0; i < prompt.positions.size(); ++i)
            if (!undecided(prompt, prompt.positions[i])) {
                const auto row = std::span(prompt.logits).subspan(i * vocabulary, vocabulary);
                EXPECT_LE(largest_difference(rows_at(logits, {prompt.positions[i]}, vocabulary),
                                             {row.begin(), row.end()}),
                          tolerance * deviation)
                    << "position " << prompt.positions[i];
            }
        for (std::size_t i = 0; i < prompt.greedy.size(); ++i)
            if (prompt.margins[i] > least_margin) {
                EXPECT_EQ(greatest(logits, prompt.ids.size() - 1 + i, vocabulary), prompt.greedy[i])
                    << "step " << i;
            }
        if (prompt.routing) routing.expect(*prompt.routing, prompt.ids.size());
        std::ranges::move(divergences(logits, prompt, vocabulary), std::back_inserter(kl));
    }
    EXPECT_LE(test::median(kl), 1e-9);
}

Case hugging_face(const std::string& name) {
    const auto folder = test::data("hf") / name;
    return {folder / "model", folder, test::read_json(folder / "golden.json")};
}

// name: of the model, then of its formats, with a dot between.
Case gguf(const std::string& name) {
    const auto folder = test::data("gguf") / name.substr(0, name.find('.'));
    const nlohmann::json golden = test::read_json(folder / "golden.json");
    for (const auto& file : golden.at("files"))
        if (file.at("file") == name + ".gguf") return {folder / (name + ".gguf"), folder, file};
    throw Error(name + ": not in golden.json");
}

class HuggingFaceGolden : public testing::TestWithParam<std::string> {};

TEST_P(HuggingFaceGolden, LogitsAndGreedyChoices) { expect_golden(hugging_face(GetParam())); }

INSTANTIATE_TEST_SUITE_P(All, HuggingFaceGolden,
                         testing::Values("a_mistral_gqa", "b_mistral_window16", "c_mixtral_4x_top2",
                                         "d_llama_mha", "e_mistral_3shards"),
                         [](const auto& test) { return test.param; });

class GgufGolden : public testing::TestWithParam<std::string> {};

TEST_P(GgufGolden, LogitsAndGreedyChoices) { expect_golden(gguf(GetParam())); }

// f16 moves keys and values, and with them the choices of undecided routers: the median is what
// counts.
TEST_P(GgufGolden, DefaultConfigurationStaysClose) {
    const Case golden = gguf(GetParam());
    test::LoadedModel loaded(test::device(), golden.model, {.context = 512});
    std::vector<double> kl;
    for (const auto& prompt : test::golden_prompts(golden.answers, golden.folder))
        std::ranges::move(
            divergences(loaded.logits(prompt.ids), prompt, loaded.checkpoint.config().vocab_size),
            std::back_inserter(kl));
    EXPECT_LE(test::median(kl), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, GgufGolden,
                         testing::Values("a_mistral_gqa.Q8_0", "a_mistral_gqa.Q6_K",
                                         "a_mistral_gqa.Q5_K_M", "a_mistral_gqa.Q4_K_M",
                                         "a_mistral_gqa.Q4_0", "a_mistral_gqa.Q3_K_M",
                                         "a_mistral_gqa.Q2_K", "a_mistral_gqa.IQ4_XS",
                                         "c_mixtral_4x_top2.F16", "c_mixtral_4x_top2.Q8_0",
                                         "c_mixtral_4x_top2.Q5_K_M", "c_mixtral_4x_top2.Q4_K_M",
                                         "c_mixtral_4x_top2.Q3_K_M", "c_mixtral_4x_top2.IQ4_XS",
                                         "moe_kquant.Q4_K_M"),
                         [](const auto& test) {
                             std::string name = test.param;
                             std::ranges::replace(name, '.', '_');
                             return name;
                         });

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
    for (const char* name : {"b_mistral_window16", "c_mixtral_4x_top2"})
        expect_golden(hugging_face(name), test::bound_device());
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
