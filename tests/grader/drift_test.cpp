#include "grader/drift.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/model/test_files.h"
#include "tests/support/devices.h"
#include "tests/support/loaded_model.h"
#include "tests/support/random.h"

namespace assay {
namespace {

const std::filesystem::path demo_file = resolve_model("demo");

GraderOptions options(std::uint32_t max_new_tokens) {
    GraderOptions grading;
    grading.max_new_tokens = max_new_tokens;
    return grading;
}

struct LoadedJudge {
    explicit LoadedJudge(const std::filesystem::path& path, std::uint32_t max_new_tokens = 64)
        : loaded(test::device(), path, {.kv = Cache::f32, .context = 1024}),
          tokenizer(loaded.checkpoint.tokenizer()),
          drift(loaded.engine, tokenizer, options(max_new_tokens)) {}

    test::LoadedModel loaded;
    Tokenizer tokenizer;
    DriftJudge drift;
};

// The demo judge with some signs turned in the weights of its last layer.
std::filesystem::path write_perturbed(const test::TemporaryFolder& folder) {
    std::string file = test::read_file(demo_file);
    const Checkpoint checkpoint(demo_file);
    const auto weights = checkpoint.tensor("model.layers.3.mlp.down_proj.weight").data;
    const std::string bytes(reinterpret_cast<const char*>(weights.data()), weights.size());
    const std::size_t at = file.find(bytes);
    EXPECT_NE(at, std::string::npos);
    test::Random random(1);
    for (std::size_t i = 1; i < bytes.size(); i += 2)
        if (random.below(2) == 0) file[at + i] = static_cast<char>(file[at + i] ^ 0x80);
    return folder.write("perturbed.gguf", file);
}

std::vector<Item> items() {
    Item good, pair;
    good.id = {"good", false};
    good.instruction = "Why does bread rise?";
    good.response = "Yeast gives off gas, which the dough holds.";
    good.reference_answer = "Yeast gives off gas, which the dough holds.";
    good.rubric = *builtin_rubric("helpfulness");
    pair = good;
    pair.id = {"pair", false};
    pair.mode = Mode::relative;
    pair.response = "I am sorry, but I cannot help with that.";
    pair.response_b = good.response;
    return {good, pair};
}

std::vector<ReferenceItem> references_of(LoadedJudge& judge) {
    std::vector<ReferenceItem> references;
    for (const Item& item : items()) {
        auto judged = judge.drift.refer(item);
        EXPECT_TRUE(std::holds_alternative<ReferenceItem>(judged));
        references.push_back(std::move(std::get<ReferenceItem>(judged)));
    }
    return references;
}

std::vector<ItemDrift> drifts_of(LoadedJudge& judge, const std::vector<ReferenceItem>& references) {
    std::vector<ItemDrift> drifts;
    for (const ReferenceItem& reference : references)
        drifts.push_back(judge.drift.compare(reference));
    return drifts;
}

std::vector<double> softmax(std::span<const float> logits) {
    const double greatest = *std::ranges::max_element(logits);
    std::vector<double> p;
    for (float logit : logits) p.push_back(std::exp(logit - greatest));
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& each : p) each /= sum;
    return p;
}

double kl(const std::vector<double>& p, const std::vector<double>& q) {
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
        if (p[i] > 0) sum += p[i] * std::log(p[i] / q[i]);
    return sum;
}

// What follows prompt and rest, at each token of the rest and behind it, from one pass over all.
std::vector<std::vector<double>> probabilities(LoadedJudge& judge, const ReferenceItem& reference,
                                               const std::vector<TokenId>& rest) {
    std::vector<TokenId> tokens = reference.prompt;
    tokens.insert(tokens.end(), rest.begin(), rest.end());
    const std::vector<float> logits = judge.loaded.logits(tokens);
    const std::size_t vocabulary = judge.loaded.checkpoint.config().vocab_size;
    std::vector<std::vector<double>> rows;
    for (std::size_t i = reference.prompt.size() - 1; i < tokens.size(); ++i)
        rows.push_back(softmax(std::span(logits).subspan(i * vocabulary, vocabulary)));
    return rows;
}

std::vector<double> of_verdicts(const LoadedJudge& judge, Mode mode,
                                const std::vector<double>& all) {
    std::vector<double> p;
    for (char verdict : legal_verdicts(mode)) {
        p.push_back(0);
        for (const std::string& piece :
             {std::string(1, verdict), "\u2581" + std::string(1, verdict)})
            if (auto id = judge.tokenizer.find_piece(piece)) p.back() += all[*id];
    }
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& each : p) each /= sum;
    return p;
}

// A reference item and a drift of it that were never computed.
struct MadeUp {
    MadeUp(Mode mode, char reference_verdict, std::optional<char> own_verdict,
           std::vector<double> reference_verdicts, std::vector<double> verdicts,
           std::vector<double> divergences) {
        reference.item.mode = mode;
        reference.grade = grade(mode, reference_verdict);
        reference.verdicts = {mode, std::move(reference_verdicts)};
        reference.log_likelihood = -0.5 * static_cast<double>(divergences.size());
        drift.verdicts = {mode, std::move(verdicts)};
        drift.agreements = divergences.size() - 1;
        drift.log_likelihood = -1.0 * static_cast<double>(divergences.size());
        drift.divergences = std::move(divergences);
        if (own_verdict)
            drift.own.result = grade(mode, *own_verdict);
        else
            drift.own.result = Unscored{"context_exceeded", "too long"};
    }
    static Grade grade(Mode mode, char verdict) {
        return {.verdict = {verdict}, .distribution = {mode, {}}};
    }
    ReferenceItem reference{};
    ItemDrift drift{};
};

}  // namespace

TEST(DriftOutcomes, DivergeAsWholeDistributionsDo) {
    test::Random random(3);
    for (double deviation : {0.0, 1.0, 4.0, 20.0}) {
        const auto a = random.normals(3000, deviation);
        auto b = a;
        for (float& logit : b) logit += random.normal(0.1);
        const Outcomes outcomes = likeliest_outcomes(log_softmax(a));
        const double exact = kl(softmax(a), softmax(b));
        EXPECT_NEAR(divergence(outcomes, log_softmax(b)), exact, 1e-6) << deviation;
        EXPECT_LE(divergence(outcomes, log_softmax(b)), exact + 1e-12) << deviation;
        EXPECT_EQ(divergence(outcomes, log_softmax(a)), 0) << deviation;
        EXPECT_LE(outcomes.rest, 1e-6) << deviation;
        EXPECT_TRUE(deviation < 20 || outcomes.tokens.size() < 100) << outcomes.tokens.size();
        EXPECT_TRUE(std::ranges::is_sorted(outcomes.log_probabilities, std::greater()));
    }
}

TEST(Drift, AgainstItselfIsNone) {
    LoadedJudge judge(demo_file);
    const auto references = references_of(judge);
    const auto drifts = drifts_of(judge, references);
    const Drift drift = summarise(references, drifts);
    EXPECT_EQ(drift.token_agreement, 1);
    EXPECT_EQ(drift.perplexity, drift.reference_perplexity);
    EXPECT_GT(drift.perplexity, 1);
    EXPECT_EQ(drift.mean_divergence, 0);
    EXPECT_EQ(drift.median_divergence, 0);
    EXPECT_EQ(drift.verdict_divergence, 0);
    EXPECT_EQ(drift.expected_score_error, 0);
    EXPECT_EQ(drift.verdicts[0].items, 1u);
    EXPECT_EQ(drift.verdicts[1].items, 1u);
    EXPECT_EQ(drift.verdicts[0].flips + drift.verdicts[1].flips + drift.unscored, 0u);
    EXPECT_EQ(drift.score_changes, (std::map<int, std::size_t>{{0, 1}}));
    EXPECT_TRUE(worst_items(references, drifts, 5).empty());
}

// Passes differ in the order of their sums, which makes some 1e-6 of a logit.
TEST(Drift, IsWhatTheLogitsSay) {
    const test::TemporaryFolder folder;
    LoadedJudge perturbed(write_perturbed(folder));
    for (const Item& item : items()) {
        // With 64 tokens the verdict is stated, with 12 it is forced behind a tail.
        const bool stated = item.mode == Mode::absolute;
        LoadedJudge judge(demo_file, stated ? 64 : 12);
        const auto reference = std::get<ReferenceItem>(judge.drift.refer(item));
        EXPECT_EQ(reference.grade.source, stated ? VerdictSource::text : VerdictSource::forced);
        const ItemDrift drift = perturbed.drift.compare(reference);

        const std::vector<TokenId>& text = reference.grade.written;
        const auto p = probabilities(judge, reference, text),
                   q = probabilities(perturbed, reference, text);
        double likelihood = 0, reference_likelihood = 0, most = 0;
        std::size_t agreements = 0;
        ASSERT_EQ(drift.divergences.size(), text.size());
        for (std::size_t k = 0; k < text.size(); ++k) {
            const double expected = kl(p[k], q[k]);
            EXPECT_NEAR(drift.divergences[k], expected, 1e-4) << "token " << k;
            most = std::max(most, expected);
            reference_likelihood += std::log(p[k][text[k]]);
            likelihood += std::log(q[k][text[k]]);
            agreements += std::ranges::max_element(q[k]) - q[k].begin() == text[k];
        }
        EXPECT_GT(most, 0.1);
        EXPECT_EQ(drift.agreements, agreements);
        EXPECT_LT(agreements, text.size());
        EXPECT_NEAR(reference.log_likelihood, reference_likelihood, 1e-3);
        EXPECT_NEAR(drift.log_likelihood, likelihood, 1e-3);

        const std::vector<TokenId>& before = reference.grade.before_verdict;
        const auto v = of_verdicts(judge, item.mode,
                                   probabilities(judge, reference, before).back()),
                   w = of_verdicts(perturbed, item.mode,
                                   probabilities(perturbed, reference, before).back());
        EXPECT_GT(kl(v, w), 0);
        EXPECT_NEAR(drift.verdict_divergence(reference), kl(v, w), 1e-4 * kl(v, w) + 1e-9);
        for (std::size_t i = 0; i < w.size(); ++i) {
            EXPECT_NEAR(reference.verdicts.probabilities[i], v[i], 1e-4);
            EXPECT_NEAR(drift.verdicts.probabilities[i], w[i], 1e-4);
        }
    }
}

TEST(Drift, RefusesAnotherVocabulary) {
    LoadedJudge judge(demo_file, 4);
    auto reference = std::get<ReferenceItem>(judge.drift.refer(items().front()));
    reference.vocabulary += 1;
    test::expect_error([&] { judge.drift.compare(reference); }, {"vocab_size", "2560", "2561"});
    reference.vocabulary -= 1;
    reference.prompt.back() += 1;
    test::expect_error([&] { judge.drift.compare(reference); }, {"item good", "tokens"});
}

TEST(Drift, SumsUpItems) {
    const std::vector<double> sure{0, 0, 0, 0, 1}, unsure{0, 0, 0, 0.5, 0.5};
    const std::vector<MadeUp> made{
        {Mode::absolute, '5', '4', sure, unsure, {0.5, 0.1}},
        {Mode::absolute, '5', '5', unsure, unsure, {0.2}},
        {Mode::absolute, '3', std::nullopt, sure, sure, {0.3, 0.4}},
        {Mode::relative, 'A', 'B', {0.75, 0.25}, {0.25, 0.75}, {0.6}},
        {Mode::relative, 'B', 'B', {0.5, 0.5}, {0.5, 0.5}, {0.0}},
    };
    std::vector<ReferenceItem> references;
    std::vector<ItemDrift> drifts;
    for (const MadeUp& item : made) {
        references.push_back(item.reference);
        drifts.push_back(item.drift);
    }
    const Drift drift = summarise(references, drifts);
    EXPECT_EQ(drift.positions, 7u);
    EXPECT_DOUBLE_EQ(drift.token_agreement, 2.0 / 7);
    EXPECT_DOUBLE_EQ(drift.reference_perplexity, std::exp(0.5));
    EXPECT_DOUBLE_EQ(drift.perplexity, std::exp(1.0));
    EXPECT_DOUBLE_EQ(drift.mean_divergence, 2.1 / 7);
    EXPECT_DOUBLE_EQ(drift.median_divergence, 0.3);
    EXPECT_DOUBLE_EQ(drift.verdict_divergence, (std::log(2.0) + 0.5 * std::log(3.0)) / 5);
    EXPECT_DOUBLE_EQ(*drift.expected_score_error, 0.5 / 3);
    EXPECT_EQ(drift.verdicts[0].items, 2u);
    EXPECT_EQ(drift.verdicts[0].flips, 1u);
    EXPECT_EQ(drift.verdicts[1].items, 2u);
    EXPECT_EQ(drift.verdicts[1].flips, 1u);
    EXPECT_EQ(drift.score_changes, (std::map<int, std::size_t>{{-1, 1}, {0, 1}}));
    EXPECT_EQ(drift.a_to_b, 1u);
    EXPECT_EQ(drift.b_to_a, 0u);
    EXPECT_EQ(drift.unscored, 1u);
    EXPECT_EQ(worst_items(references, drifts, 5), (std::vector<std::size_t>{0, 3}));
    EXPECT_EQ(worst_items(references, drifts, 1), (std::vector<std::size_t>{0}));

    const Drift pairs = summarise(std::span(references).last(2), std::span(drifts).last(2));
    EXPECT_DOUBLE_EQ(pairs.median_divergence, 0.3);
    EXPECT_EQ(pairs.expected_score_error, std::nullopt);
}

}  // namespace assay
