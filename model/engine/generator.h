#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/engine/random.h"
#include "model/engine/sampling.h"
#include "model/tokenizer.h"

namespace assay {

// How a request went.
struct Generation {
    std::vector<float> asked = {};    // raw logits of Request::asked where the text ends
    std::uint32_t cached_tokens = 0;  // of the prompt, found in the KV cache
    double prefill_seconds = 0;       // from when it was admitted to its first token
    double decode_seconds = 0;        // from there to its end
};

// A text to be written, or only to be looked at.
struct Request {
    std::vector<TokenId> prompt;       // one token at least
    std::uint32_t max_new_tokens = 0;  // 0: nothing is written
    Sampling how{};
    Draw draw{};  // of its random numbers; the position is the generator's to set
    std::vector<TokenId> asked = {};  // tokens whose raw logits are wanted wherever one is chosen
    bool endless = false;             // no token ends the text, for measuring

    // Each token as it is chosen, in order, with the logits asked for. One that ends a text (see
    // Generator::ends_text()) is the last; false ends the text too, behind this token.
    std::function<bool(TokenId, std::span<const float> asked)> on_token = {};
    // When the text has ended, by a token, by false, or by its length. May submit requests.
    std::function<void(const Generation&)> on_end = {};
};

// Writes many texts at once. The scheduler of an engine is behind it in earnest, a script in tests.
class Generator {
public:
    virtual ~Generator() = default;

    virtual std::uint32_t context() const = 0;        // tokens a text may have
    virtual bool ends_text(TokenId token) const = 0;  // an end-of-sequence token of the model
    // Takes a request up, in an order of its own. Throws an Error when prompt and new tokens do not
    // fit into the context.
    virtual void submit(Request request) = 0;
    // Writes on and calls back; false when nothing is left to do.
    virtual bool step() = 0;
    // Requests that more could be taken up beside, before some have ended: who keeps as many
    // submitted keeps the device busy.
    virtual std::size_t room() const = 0;
};

}  // namespace assay
