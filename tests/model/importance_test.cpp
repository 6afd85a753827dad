#include "model/importance.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "model/expected_weights.h"
#include "tests/model/test_files.h"
#include "tests/reference/forward.h"
#include "tests/support/devices.h"
#include "tests/support/loaded_model.h"
#include "tests/support/random.h"

namespace assay {
namespace {

using Texts = std::vector<std::vector<TokenId>>;
using Tensors = std::map<std::string, InputSums, std::less<>>;

constexpr std::uint32_t layers = 2;  // of a tiny model

Tensors read(Engine& engine, Importance& importance, const Texts& texts) {
    engine.observe(&importance);
    for (const auto& text : texts) {
        Sequence sequence(engine);
        const Work work{.sequence = &sequence, .tokens = text};
        engine.step({&work, 1});
        importance.collect();
    }
    return importance.by_tensor();
}

// A tiny model that is observed.
struct Observed {
    explicit Observed(test::TinyModel model, std::uint32_t prefill_chunk = 0)
        : source(std::move(model)) {
        test::write_checkpoint(source, folder.path());
        loaded.emplace(
            test::device(), folder.path(),
            EngineOptions{.kv = Cache::f32, .context = 256, .prefill_chunk = prefill_chunk});
        importance.emplace(std::span(&loaded->model, 1));
    }
    Tensors read(const Texts& texts) { return assay::read(loaded->engine, *importance, texts); }

    test::TinyModel source;
    test::TemporaryFolder folder;
    std::optional<test::LoadedModel> loaded;
    std::optional<Importance> importance;
};

test::TinyModel mixtral(std::uint32_t experts, std::uint32_t chosen) {
    return test::make_tiny_model({{"architectures", {"MixtralForCausalLM"}},
                                  {"model_type", "mixtral"},
                                  {"num_local_experts", experts},
                                  {"num_experts_per_tok", chosen}});
}

Texts random_texts() {
    test::Random random(5);
    Texts texts{std::vector<TokenId>(70), std::vector<TokenId>(33)};
    for (auto& text : texts)
        for (TokenId& token : text) token = random.below(300);
    return texts;
}

// The same from the reference. Experts are in the order of their names, so there may be ten.
Tensors expected(const test::TinyModel& model, const Config& config, const Texts& texts) {
    struct Seen {
        std::vector<double> squares;
        float count = 0;
    };
    std::map<const std::vector<float>*, Seen> seen;
    for (const auto& text : texts)
        reference::forward(model, text, [&](const auto& weight, std::span<const double> row) {
            Seen& sums = seen[&weight];
            sums.squares.resize(row.size());
            for (std::size_t i = 0; i < row.size(); ++i) sums.squares[i] += row[i] * row[i];
            ++sums.count;
        });
    Tensors tensors;
    for (const auto& [name, weight] : model.weights) {
        if (!name.ends_with("proj.weight") && name.find("block_sparse_moe") == name.npos) continue;
        const auto& [squares, count] = seen[&weight];
        InputSums& sums = tensors[gguf_name(name, config)];
        if (!squares.empty()) sums.columns = squares.size();
        sums.squares.insert(sums.squares.end(), squares.begin(), squares.end());
        sums.counts.push_back(count);
    }
    return tensors;
}

// An activation is off by up to 1e-5, see engine_test.cpp; so, after Cauchy and Schwarz, is a sum
// of n squares by 2e-5 sqrt(n sum).
void expect_equal(const Tensors& actual, const Tensors& wanted) {
    ASSERT_EQ(actual.size(), wanted.size());
    for (const auto& [name, sums] : wanted) {
        ASSERT_TRUE(actual.contains(name)) << name;
        const InputSums& have = actual.at(name);
        EXPECT_EQ(have.columns, sums.columns) << name;
        EXPECT_EQ(have.counts, sums.counts) << name;
        ASSERT_EQ(have.squares.size(), sums.squares.size()) << name;
        for (std::size_t i = 0; i < sums.squares.size(); ++i)
            EXPECT_NEAR(have.squares[i], sums.squares[i],
                        2e-5f * std::sqrt(sums.counts[i / sums.columns] * sums.squares[i]))
                << name << ", " << i;
    }
}

}  // namespace

TEST(Importance, OfADenseModelEqualsTheReference) {
    const Texts texts = random_texts();
    for (std::uint32_t chunk : {0u, 16u}) {
        Observed observed(test::make_tiny_model(), chunk);
        const Tensors tensors = observed.read(texts);
        expect_equal(tensors, expected(observed.source, observed.loaded->model.config(), texts));
        EXPECT_EQ(tensors.size(), layers * 7);  // the output head saw nothing: no logit was wanted
        EXPECT_TRUE(observed.importance->idle_experts().empty());
    }
}

TEST(Importance, OfAMixtureEqualsTheReference) {
    const Texts texts = random_texts();
    for (std::uint32_t chunk : {0u, 16u}) {
        Observed observed(mixtral(4, 2), chunk);
        const Tensors tensors = observed.read(texts);
        expect_equal(tensors, expected(observed.source, observed.loaded->model.config(), texts));
        EXPECT_EQ(tensors.size(), layers * 8);
        EXPECT_TRUE(observed.importance->idle_experts().empty());
    }
}

// Over two devices, with the experts of the second in host memory, the very same.
TEST(Importance, OfAModelInSharesIsThatOfTheWhole) {
    const Texts texts = random_texts();
    Observed whole(mixtral(4, 2));
    const Tensors expected = whole.read(texts);

    Device second;
    const std::array<Device*, 2> devices{&test::device(), &second};
    const std::array<Share, 2> shares{Share{.first_layer = 0, .layers = 1},
                                      Share{.first_layer = 1, .layers = 1, .expert_slots = 1}};
    std::vector<Mistral> models;
    models.reserve(shares.size());
    std::vector<Stage> stages;
    for (std::size_t i = 0; i < shares.size(); ++i) {
        models.emplace_back(whole.loaded->checkpoint.config(),
                            load_weights(*devices[i], whole.loaded->checkpoint, 256, shares[i]));
        stages.push_back({*devices[i], models.back(), shares[i]});
    }
    Engine engine(stages, {.kv = Cache::f32, .context = 256});
    Importance importance(models);
    const Tensors actual = read(engine, importance, texts);
    ASSERT_EQ(actual.size(), expected.size());
    for (const auto& [name, sums] : expected) {
        EXPECT_EQ(actual.at(name).squares, sums.squares) << name;
        EXPECT_EQ(actual.at(name).counts, sums.counts) << name;
    }
}

TEST(Importance, NamesExpertsThatNobodyChose) {
    Observed observed(mixtral(8, 2));
    const Tensors tensors = observed.read({{1}});  // one token: two experts of each layer
    const auto idle = observed.importance->idle_experts();
    EXPECT_EQ(idle.size(), layers * 6);
    for (const auto& [layer, expert] : idle)
        for (const char* part : {"gate", "up", "down"}) {
            const InputSums& sums =
                tensors.at("blk." + std::to_string(layer) + ".ffn_" + part + "_exps.weight");
            EXPECT_EQ(sums.counts.at(expert), 0);
            EXPECT_EQ(sums.squares.at(expert * sums.columns), 0);
        }
}

TEST(Importance, OfWhatIsNoNumberIsAnError) {
    test::TinyModel broken = test::make_tiny_model();
    broken.weights.at("model.layers.1.mlp.up_proj.weight")[5] = NAN;
    Observed observed(std::move(broken));
    try {
        observed.read(random_texts());
        FAIL() << "no error";
    } catch (const std::exception& error) {
        EXPECT_NE(std::string(error.what()).find("blk.1.ffn_down.weight: column 0"),
                  std::string::npos)
            << error.what();
    }
}

}  // namespace assay
