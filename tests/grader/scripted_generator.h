#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grader/ending.h"
#include "model/checkpoint.h"
#include "model/engine/generator.h"
#include "tests/support/random.h"

namespace assay::test {

inline const Tokenizer& demo_tokenizer() {
    static const Tokenizer tokenizer = open_tokenizer(resolve_model("demo"));
    return tokenizer;
}

// What a judge writes on a prompt, and its logits where a verdict may follow.
struct Script {
    std::string text;
    std::map<char, float> verdict_logits;
};

// Writes scripts, of all requests beside each other: each step goes on with one of them.
class ScriptedGenerator : public Generator {
public:
    using Scripts = std::function<Script(const std::string& prompt, std::uint32_t sample)>;

    explicit ScriptedGenerator(Scripts scripts, std::uint32_t context_tokens = 1024,
                               std::uint32_t seed = 1)
        : scripts_(std::move(scripts)), context_(context_tokens), random_(seed) {}
    explicit ScriptedGenerator(const std::string& text, std::map<char, float> verdict_logits,
                               std::uint32_t context_tokens = 1024)
        : ScriptedGenerator(
              [=](auto&, auto) {
                  return Script{text, verdict_logits};
              },
              context_tokens) {}

    std::uint32_t context() const override { return context_; }
    bool ends_text(TokenId token) const override { return token == demo_tokenizer().eos_id(); }
    std::size_t room() const override { return 1; }

    void submit(Request request) override {
        EXPECT_LE(request.prompt.size() + request.max_new_tokens, context_);
        // A verdict fits behind a tail.
        EXPECT_TRUE(request.max_new_tokens > 0 || request.prompt.size() < context_);
        const Script script =
            scripts_(demo_tokenizer().decode(request.prompt), request.draw.sample);
        requests.push_back(request);
        writing_.push_back(
            {std::move(request), demo_tokenizer().encode(script.text), script.verdict_logits});
    }

    bool step() override {
        if (writing_.empty()) return false;
        const auto chosen =
            writing_.begin() + random_.below(static_cast<std::uint32_t>(writing_.size()));
        if (chosen->goes_on()) return true;
        const Writing done = std::move(*chosen);
        writing_.erase(chosen);
        Generation generation{.asked = done.logits(),
                              .cached_tokens = cached_tokens,
                              .prefill_seconds = 0.25,
                              .decode_seconds = 0.5};
        done.request.on_end(generation);
        return !writing_.empty();
    }

    // What the prompt of a request has more than that of the first.
    std::string added(std::size_t request) const {
        return demo_tokenizer().decode(
            std::span(requests.at(request).prompt).subspan(requests.front().prompt.size()));
    }

    std::vector<Request> requests;  // all that were submitted
    std::uint32_t cached_tokens = 0;

private:
    struct Writing {
        Request request;
        std::vector<TokenId> script;
        std::map<char, float> verdict_logits;
        std::vector<TokenId> written = {};

        bool goes_on() {
            if (request.max_new_tokens == 0) return false;
            const std::size_t at = written.size();
            const TokenId token = at < script.size() ? script[at] : demo_tokenizer().eos_id();
            const std::vector<float> asked = logits();
            written.push_back(token);
            return request.on_token(token, asked) && token != demo_tokenizer().eos_id() &&
                   written.size() < request.max_new_tokens;
        }

        // As told behind the marker; elsewhere, where nobody should look, they favour "1" and "B".
        std::vector<float> logits() const {
            std::vector<TokenId> tokens(request.prompt.end() - 16, request.prompt.end());
            tokens.insert(tokens.end(), written.begin(), written.end());
            const bool told = at_verdict(demo_tokenizer().decode(tokens));
            const std::map<char, float> elsewhere{{'1', 30.0f}, {'B', 30.0f}};
            std::vector<float> asked;
            for (TokenId token : request.asked) {
                const char symbol = demo_tokenizer().piece(token).back();
                const auto& logit_of = told ? verdict_logits : elsewhere;
                const auto logit = logit_of.find(symbol);
                asked.push_back(logit == logit_of.end() ? -20 : logit->second);
            }
            return asked;
        }
    };

    Scripts scripts_;
    std::uint32_t context_;
    Random random_;
    std::vector<Writing> writing_;
};

}  // namespace assay::test
