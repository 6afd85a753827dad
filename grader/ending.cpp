#include "grader/ending.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/error.h"

namespace assay {

bool Ending::says_verdict(TokenId token) const {
    return std::ranges::find(spellings, token) != spellings.end();
}

VerdictDistribution Ending::distribution(std::span<const float> logits) const {
    constexpr double nothing = -std::numeric_limits<double>::infinity();
    const std::size_t legal = legal_verdicts(mode).size();
    std::vector<double> greatest(legal, nothing), sum(legal, 0);
    for (std::size_t i = 0; i < spellings.size(); ++i)
        greatest[verdicts[i]] = std::max<double>(greatest[verdicts[i]], logits[i]);
    for (std::size_t i = 0; i < spellings.size(); ++i)
        sum[verdicts[i]] += std::exp(logits[i] - greatest[verdicts[i]]);
    std::vector<float> together;
    for (std::size_t i = 0; i < legal; ++i)
        together.push_back(static_cast<float>(greatest[i] + std::log(sum[i])));
    return verdict_distribution(mode, together);
}

Ending find_ending(const Tokenizer& tokenizer, Mode mode) {
    std::vector<std::vector<TokenId>> texts;
    for (char verdict : legal_verdicts(mode))
        texts.push_back(tokenizer.encode(std::string(verdict_marker) + " " + verdict));
    Ending ending{.mode = mode, .tail = texts.front(), .spellings = {}, .verdicts = {}};
    ending.tail.pop_back();
    for (const auto& text : texts)
        if (text.size() != texts.front().size() ||
            !std::equal(ending.tail.begin(), ending.tail.end(), text.begin()))
            throw Error("tokenizer: verdicts of " + std::string(name(mode)) +
                        " grading are not one token each after \"" + std::string(verdict_marker) +
                        "\"");
    const auto add = [&](TokenId token, std::size_t verdict) {
        if (ending.says_verdict(token)) return;
        ending.spellings.push_back(token);
        ending.verdicts.push_back(verdict);
    };
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string symbol(1, legal_verdicts(mode)[i]);
        add(texts[i].back(), i);
        for (const std::string& piece : {symbol, "\u2581" + symbol})
            if (const auto id = tokenizer.find_piece(piece)) add(*id, i);
    }
    return ending;
}

bool at_verdict(std::string_view text) {
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return last != text.npos && text.substr(0, last + 1).ends_with(verdict_marker);
}

}  // namespace assay
