#pragma once
#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "grader/grader.h"
#include "model/engine/scheduler.h"

// What a weight format, or a format of the KV cache, does to a judge: the same items judged by a
// reference and by others. Divergences are Kullback-Leibler's, of the reference from the other, in
// nats.
namespace assay {

// A distribution over the vocabulary: the likeliest tokens, which have all but a millionth of the
// probability, and the rest as one outcome. Whole distributions of many texts would not fit into
// memory. A divergence of outcomes is never too large, and too small by at most a millionth of how
// far the two diverge among the rest.
struct Outcomes {
    std::vector<TokenId> tokens = {};            // likeliest first
    std::vector<double> log_probabilities = {};  // of each
    double rest = 0;                             // the probability of all others together
};
Outcomes likeliest_outcomes(std::span<const double> log_probabilities);
double divergence(const Outcomes& reference, std::span<const double> log_probabilities);

std::vector<double> log_softmax(std::span<const float> logits);

// An item as the reference judged it, greedily: what others are compared with.
struct ReferenceItem {
    Item item;
    std::vector<TokenId> prompt;
    Grade grade;
    std::size_t vocabulary = 0;
    std::vector<Outcomes> outcomes = {};  // what each token of grade.written was chosen from
    double log_likelihood = 0;            // of grade.written
    VerdictDistribution verdicts = {};    // after grade.before_verdict
};

// How another judge takes an item.
struct ItemDrift {
    // Along the reference's text:
    std::vector<double> divergences;  // one per token of it
    std::size_t agreements = 0;       // tokens that it finds likeliest too
    double log_likelihood = 0;        // of the text
    VerdictDistribution verdicts;     // where the reference's verdict was read
    // Its own grade of the item.
    Record own;

    // Of the verdicts at the reference's place.
    double verdict_divergence(const ReferenceItem& reference) const;
    bool flipped(const ReferenceItem& reference) const;  // its own verdict is another
};

// A loaded judge that is the reference or is compared with it. Engine and tokenizer must outlive
// it; the KV cache need hold one text alone.
class DriftJudge {
public:
    // Sampling options are ignored: judges are compared by what they find likeliest.
    DriftJudge(Engine& engine, const Tokenizer& tokenizer, GraderOptions options);

    // Unscored if the item cannot be graded.
    std::variant<ReferenceItem, Unscored> refer(const Item& item);
    // Throws an Error if the judge's vocabulary is not the reference's.
    ItemDrift compare(const ReferenceItem& reference);

private:
    // Reads prompt and text of the reference, and returns what the verdict may be where it was
    // read. Calls row(i, log_probabilities) for what token i of the text is chosen from.
    using OnRow = std::function<void(std::size_t, std::span<const double>)>;
    VerdictDistribution read(const ReferenceItem& reference, const OnRow& row);
    void read_text(Sequence& sequence, const ReferenceItem& reference, const OnRow& row);
    std::size_t vocabulary() const { return engine_.config().vocab_size; }

    Engine& engine_;
    const Profile& profile_;
    const Tokenizer& tokenizer_;
    Scheduler scheduler_;  // between items it leaves the engine to itself
    Grader grader_;
};

// A judge's drift over items.
struct Drift {
    std::size_t positions = 0;   // tokens of the reference's texts
    double token_agreement = 0;  // the share of them that the judge finds likeliest too
    double reference_perplexity = 0, perplexity = 0;  // of the reference's texts
    double mean_divergence = 0, median_divergence = 0;
    double verdict_divergence = 0;               // mean over items
    std::optional<double> expected_score_error;  // mean absolute difference, of absolute items
    // Of the judge's own verdicts:
    struct Verdicts {
        std::size_t items = 0, flips = 0;
    };
    std::array<Verdicts, 2> verdicts;          // by mode
    std::map<int, std::size_t> score_changes;  // own score less the reference's -> absolute items
    std::size_t a_to_b = 0, b_to_a = 0;        // of relative items
    std::size_t unscored = 0;                  // items that it could not grade by itself
};
// One drift per reference item, in the same order; at least one.
Drift summarise(std::span<const ReferenceItem> references, std::span<const ItemDrift> drifts);

// The indices of the items that drifted most: flips first, then by verdict divergence. What did not
// drift is left out.
std::vector<std::size_t> worst_items(std::span<const ReferenceItem> references,
                                     std::span<const ItemDrift> drifts, std::size_t most);

}  // namespace assay
