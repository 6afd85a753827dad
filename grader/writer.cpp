#include "grader/writer.h"

#include <algorithm>

namespace assay {

bool EngineWriter::ends_text(TokenId token) const {
    return std::ranges::count(engine_.config().eos_token_ids, token) > 0;
}

void EngineWriter::begin(std::span<const TokenId> prompt) {
    sequence_.truncate(0);
    pending_.assign(prompt.begin(), prompt.end());
}

void EngineWriter::append(std::span<const TokenId> tokens) {
    pending_.insert(pending_.end(), tokens.begin(), tokens.end());
}

void EngineWriter::truncate(std::uint32_t length) {
    if (length >= sequence_.length() + pending_.size()) return;
    if (length > sequence_.length()) {
        pending_.resize(length - sequence_.length());
    } else {
        // The last token is computed anew, since a choice needs the logits that follow it.
        const TokenId last = sequence_.tokens()[length - 1];
        sequence_.truncate(length - 1);
        pending_.assign(1, last);
    }
}

Choice EngineWriter::choose(const Sampling& how, const Draw& draw, bool with_logits) {
    const Work work{.sequence = &sequence_,
                    .tokens = pending_,
                    .logits = with_logits ? Work::last : Work::nothing,
                    .sample = true,
                    .how = how,
                    .draw = draw};
    std::vector<Outcome> outcome = engine_.step({&work, 1});
    pending_.clear();
    return {outcome[0].tokens.front(), std::move(outcome[0].logits)};
}

}  // namespace assay
