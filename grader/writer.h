#pragma once
#include <span>
#include <vector>

#include "model/engine/engine.h"
#include "model/tokenizer.h"

namespace assay {

// The token that follows a text, and the logits it was chosen from if they were asked for.
struct Choice {
    TokenId token = 0;
    std::vector<float> logits;  // raw, one per token of the vocabulary
};

// A text that a language model writes on: what grading needs of one. The engine is behind it in
// earnest, a script in tests.
class Writer {
public:
    virtual ~Writer() = default;

    virtual const Tokenizer& tokenizer() const = 0;
    virtual std::uint32_t context() const = 0;        // tokens a text may have
    virtual bool ends_text(TokenId token) const = 0;  // an end-of-sequence token of the model
    virtual void begin(std::span<const TokenId> prompt) = 0;   // a new text
    virtual void append(std::span<const TokenId> tokens) = 0;  // to the text
    virtual void truncate(std::uint32_t length) = 0;           // to this many tokens
    // The token that follows; it is not appended.
    virtual Choice choose(const Sampling& how, const Draw& draw, bool with_logits) = 0;
};

// A Writer over one sequence of an engine.
class EngineWriter : public Writer {
public:
    EngineWriter(Engine& engine, const Tokenizer& tokenizer)
        : engine_(engine), tokenizer_(tokenizer), sequence_(engine) {}

    const Tokenizer& tokenizer() const override { return tokenizer_; }
    std::uint32_t context() const override { return engine_.options().context; }
    bool ends_text(TokenId token) const override;
    void begin(std::span<const TokenId> prompt) override;
    void append(std::span<const TokenId> tokens) override;
    void truncate(std::uint32_t length) override;
    Choice choose(const Sampling& how, const Draw& draw, bool with_logits) override;

private:
    Engine& engine_;
    const Tokenizer& tokenizer_;
    Sequence sequence_;
    std::vector<TokenId> pending_;  // appended, but not yet computed
};

}  // namespace assay
