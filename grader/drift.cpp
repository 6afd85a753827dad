#include "grader/drift.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "runtime/error.h"

namespace assay {
namespace {

constexpr double left_out = 1e-6;              // of a distribution's probability, at most
constexpr double least_probability = 0x1p-53;  // what 1 less a sum of probabilities can tell from 0
constexpr std::size_t rows_at_once = 64;       // of logits on the host

double rest_of(std::span<const double> log_probabilities, std::span<const TokenId> tokens) {
    double sum = 0;
    for (TokenId token : tokens) sum += std::exp(log_probabilities[token]);
    return std::max(1 - sum, least_probability);
}

TokenId greatest(std::span<const double> values) {
    return static_cast<TokenId>(std::ranges::max_element(values) - values.begin());
}

GraderOptions greedy(GraderOptions options) {
    options.sampling = {};
    return options;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    if (values.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

}  // namespace

std::vector<double> log_softmax(std::span<const float> logits) {
    const double greatest_logit = *std::ranges::max_element(logits);
    double sum = 0;
    for (float logit : logits) sum += std::exp(logit - greatest_logit);
    const double log_sum = greatest_logit + std::log(sum);
    std::vector<double> log_probabilities(logits.size());
    std::ranges::transform(logits, log_probabilities.begin(),
                           [=](float logit) { return logit - log_sum; });
    return log_probabilities;
}

Outcomes likeliest_outcomes(std::span<const double> log_probabilities) {
    std::vector<TokenId> order(log_probabilities.size());
    std::iota(order.begin(), order.end(), 0u);
    const auto likelier = [&](TokenId a, TokenId b) {
        return std::pair(-log_probabilities[a], a) < std::pair(-log_probabilities[b], b);
    };
    // Most distributions are told by a few tokens, so that sorting them all would be a waste.
    std::size_t kept = 0;
    double rest = 1;
    for (std::size_t sorted = 0; rest > left_out && kept < order.size();) {
        const auto from = order.begin() + static_cast<std::ptrdiff_t>(sorted);
        sorted = std::min(order.size(), std::max<std::size_t>(64, 4 * sorted));
        const auto to = order.begin() + static_cast<std::ptrdiff_t>(sorted);
        std::partial_sort(from, to, order.end(), likelier);
        while (kept < sorted && rest > left_out) rest -= std::exp(log_probabilities[order[kept++]]);
    }
    order.resize(kept);
    Outcomes outcomes{.tokens = std::move(order)};
    for (TokenId token : outcomes.tokens)
        outcomes.log_probabilities.push_back(log_probabilities[token]);
    outcomes.rest = rest_of(log_probabilities, outcomes.tokens);
    return outcomes;
}

double divergence(const Outcomes& reference, std::span<const double> log_probabilities) {
    const double rest = rest_of(log_probabilities, reference.tokens);
    double sum = reference.rest * std::log(reference.rest / rest);
    for (std::size_t i = 0; i < reference.tokens.size(); ++i)
        sum += std::exp(reference.log_probabilities[i]) *
               (reference.log_probabilities[i] - log_probabilities[reference.tokens[i]]);
    return std::max(sum, 0.0);  // but for rounding it is not negative
}

double ItemDrift::verdict_divergence(const ReferenceItem& reference) const {
    double sum = 0;
    for (std::size_t i = 0; i < verdicts.probabilities.size(); ++i)
        if (const double p = reference.verdicts.probabilities[i]; p > 0)
            sum += p * std::log(p / std::max(verdicts.probabilities[i], 1e-300));
    return std::max(sum, 0.0);
}

bool ItemDrift::flipped(const ReferenceItem& reference) const {
    const auto* grade = std::get_if<Grade>(&own.result);
    return grade && grade->verdict != reference.grade.verdict;
}

DriftJudge::DriftJudge(Engine& engine, const Tokenizer& tokenizer, GraderOptions options)
    : engine_(engine),
      profile_(*options.profile),
      tokenizer_(tokenizer),
      scheduler_(engine),
      grader_(scheduler_, tokenizer, greedy(std::move(options))) {}

std::variant<ReferenceItem, Unscored> DriftJudge::refer(const Item& item) {
    Record record = grader_.grade(item);
    if (!record.scored()) return std::get<Unscored>(record.result);
    ReferenceItem reference{.item = item,
                            .prompt = prompt_tokens(tokenizer_, render(profile_, item)),
                            .grade = std::move(std::get<Grade>(record.result)),
                            .vocabulary = vocabulary()};
    reference.verdicts = read(reference, [&](std::size_t i, std::span<const double> likelihoods) {
        reference.outcomes.push_back(likeliest_outcomes(likelihoods));
        reference.log_likelihood += likelihoods[reference.grade.written[i]];
    });
    return reference;
}

ItemDrift DriftJudge::compare(const ReferenceItem& reference) {
    if (vocabulary() != reference.vocabulary)
        throw Error("vocab_size: " + std::to_string(vocabulary()) + ", the reference has " +
                    std::to_string(reference.vocabulary));
    const Item& item = reference.item;
    if (prompt_tokens(tokenizer_, render(profile_, item)) != reference.prompt)
        throw Error("item " + item.id.text +
                    ": its prompt has other tokens than with the reference's tokenizer");
    ItemDrift drift;
    drift.verdicts = read(reference, [&](std::size_t i, std::span<const double> likelihoods) {
        const TokenId token = reference.grade.written[i];
        drift.divergences.push_back(divergence(reference.outcomes[i], likelihoods));
        drift.agreements += greatest(likelihoods) == token;
        drift.log_likelihood += likelihoods[token];
    });
    drift.own = grader_.grade(item);
    return drift;
}

VerdictDistribution DriftJudge::read(const ReferenceItem& reference, const OnRow& row) {
    Sequence sequence(engine_);
    read_text(sequence, reference, row);
    // Back to where the verdict was read, which is in the text or after a tail that replaces some.
    std::vector<TokenId> tokens = reference.prompt;
    const std::vector<TokenId>& rest = reference.grade.before_verdict;
    tokens.insert(tokens.end(), rest.begin(), rest.end());
    const auto same = std::ranges::mismatch(sequence.tokens(), tokens).in2 - tokens.begin();
    const std::size_t kept = std::min(static_cast<std::size_t>(same), tokens.size() - 1);
    sequence.truncate(static_cast<std::uint32_t>(kept));
    const Ending& ending = grader_.ending(reference.item.mode);
    const Work work{.sequence = &sequence,
                    .tokens = std::span(tokens).subspan(kept),
                    .asked = ending.spellings};
    return ending.distribution(engine_.step({&work, 1})[0].asked);
}

void DriftJudge::read_text(Sequence& sequence, const ReferenceItem& reference, const OnRow& row) {
    const std::span prompt(reference.prompt);
    const std::span text(reference.grade.written);
    const Work reading{.sequence = &sequence, .tokens = prompt.first(prompt.size() - 1)};
    if (!reading.tokens.empty()) engine_.step({&reading, 1});

    // A token is chosen from what follows the one before it.
    std::vector<TokenId> before{prompt.back()};
    before.insert(before.end(), text.begin(), text.end() - 1);
    for (std::size_t first = 0; first < before.size(); first += rows_at_once) {
        const std::size_t rows = std::min(rows_at_once, before.size() - first);
        const Work work{.sequence = &sequence,
                        .tokens = std::span(before).subspan(first, rows),
                        .logits = Work::all};
        const std::vector<float> logits = std::move(engine_.step({&work, 1})[0].logits);
        for (std::size_t i = 0; i < rows; ++i)
            row(first + i, log_softmax(std::span(logits).subspan(i * vocabulary(), vocabulary())));
    }
}

Drift summarise(std::span<const ReferenceItem> references, std::span<const ItemDrift> drifts) {
    Drift total;
    std::vector<double> divergences;
    double agreements = 0, reference_likelihood = 0, likelihood = 0, score_error = 0;
    std::size_t absolute_items = 0;
    for (std::size_t i = 0; i < references.size(); ++i) {
        const ReferenceItem& reference = references[i];
        const ItemDrift& drift = drifts[i];
        divergences.insert(divergences.end(), drift.divergences.begin(), drift.divergences.end());
        agreements += static_cast<double>(drift.agreements);
        reference_likelihood += reference.log_likelihood;
        likelihood += drift.log_likelihood;
        total.verdict_divergence += drift.verdict_divergence(reference);
        if (reference.item.mode == Mode::absolute) {
            ++absolute_items;
            score_error +=
                std::fabs(drift.verdicts.expected_score() - reference.verdicts.expected_score());
        }
        const auto* own = std::get_if<Grade>(&drift.own.result);
        if (!own) {
            ++total.unscored;
            continue;
        }
        Drift::Verdicts& verdicts = total.verdicts[static_cast<std::size_t>(reference.item.mode)];
        ++verdicts.items;
        verdicts.flips += drift.flipped(reference);
        if (reference.item.mode == Mode::absolute)
            ++total.score_changes[own->verdict.score() - reference.grade.verdict.score()];
        else if (drift.flipped(reference))
            ++(own->verdict.symbol == 'B' ? total.a_to_b : total.b_to_a);
    }
    const auto items = static_cast<double>(references.size()),
               positions = static_cast<double>(divergences.size());
    total.positions = divergences.size();
    total.token_agreement = agreements / positions;
    total.reference_perplexity = std::exp(-reference_likelihood / positions);
    total.perplexity = std::exp(-likelihood / positions);
    total.mean_divergence =
        std::accumulate(divergences.begin(), divergences.end(), 0.0) / positions;
    total.median_divergence = median(std::move(divergences));
    total.verdict_divergence /= items;
    if (absolute_items > 0)
        total.expected_score_error = score_error / static_cast<double>(absolute_items);
    return total;
}

std::vector<std::size_t> worst_items(std::span<const ReferenceItem> references,
                                     std::span<const ItemDrift> drifts, std::size_t most) {
    const auto key = [&](std::size_t i) {
        return std::pair(drifts[i].flipped(references[i]),
                         drifts[i].verdict_divergence(references[i]));
    };
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < references.size(); ++i)
        if (key(i) != std::pair(false, 0.0)) order.push_back(i);
    std::ranges::stable_sort(order, std::greater(), key);
    order.resize(std::min(order.size(), most));
    return order;
}

}  // namespace assay
