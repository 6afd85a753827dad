#include "grader/verdict_counts.h"

#include <cmath>

namespace assay {

std::optional<char> symbol_of(const Label& label) {
    const auto mean = label.mean();
    if (!mean) return label.preferred;
    if (*mean < 1 || *mean > 5) return std::nullopt;
    return static_cast<char>('0' + static_cast<int>(std::floor(*mean + 0.5)));
}

std::string symbol_name(char symbol) { return symbol == '=' ? "tie" : std::string(1, symbol); }

VerdictCounts count_verdicts(std::span<const Result> results) {
    VerdictCounts counts;
    for (const Result& result : results) {
        if (!result.scored()) {
            ++counts.unscored;
            continue;
        }
        ++counts.scored;
        const char verdict = result.facts.verdict;
        ++counts.verdicts[verdict];
        if (result.facts.consistent == false) counts.inconsistent.push_back(result.id);
        // Labels of another scale are none of these verdicts.
        const bool comparable = result.label && !result.scale;
        const auto label = comparable ? symbol_of(*result.label) : std::nullopt;
        if (!label) continue;
        ++counts.labels[*label];
        ++counts.confusion[{*label, verdict}];
    }
    return counts;
}

}  // namespace assay
