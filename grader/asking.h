#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grader/ending.h"
#include "grader/item.h"
#include "grader/prompt.h"
#include "grader/record.h"
#include "grader/scale.h"
#include "grader/truncate.h"
#include "grader/verdict.h"
#include "model/engine/generator.h"

namespace assay {

// The longest sequence, prompt and feedback, that Prometheus judges were trained on: max_seq_length
// of their training. They take longer ones, of which nobody has measured how well they judge them.
constexpr std::size_t trained_tokens = 4096;

// In which orders the judge sees the responses of a pair.
enum class Orders { given, both };

struct GraderOptions {
    const Profile* profile = &profiles().front();
    Parser parser = Parser::compat;
    Sampling sampling;
    std::uint32_t max_new_tokens = 1024;
    std::uint64_t seed = 0;
    std::uint32_t samples = 1;  // texts of each order, at least 1
    Orders orders = Orders::given;
    TooLong too_long = TooLong::refuse;
    bool verdict_only = false;        // no feedback, and so one sample: the verdict is forced
    std::uint32_t redraws = 0;        // of a text that states no verdict, before one is forced
    std::optional<Scale> scale = {};  // that records tell scores on too; a pair has none
    // What records tell grades by too; null: nothing.
    std::shared_ptr<const Calibration> calibration = {};
    Judge judge;  // what records say of the model
};

// What a profile asks for unless the user says otherwise.
GraderOptions options_of(const Profile& profile);

// The tokens of a prompt, BOS included.
std::vector<TokenId> prompt_tokens(const Tokenizer& tokenizer, const Prompt& prompt);

// A prompt for a judge.
struct Question {
    Mode mode;
    Order order;
    std::vector<TokenId> prompt;
    std::uint64_t prompt_hash;
    std::uint32_t max_new_tokens;  // which leaves room for tail and verdict
};

// What an item becomes.
struct Asked {
    std::vector<Question> questions = {};   // one for each order; none if it cannot be graded
    std::optional<Unscored> unscored = {};  // and why not
    std::vector<std::string> warnings = {};
    std::optional<TruncatedItem> truncated = {};  // that the questions are made of, if not whole
};

// Makes prompts of items, for a context of so many tokens. An item that is too long for it is, as
// the options say, refused or truncated: its longest prompt then leaves max_new_tokens for
// feedback, if any is asked for, but at most a quarter of the context.
class Asking {
public:
    // Tokenizer and options must outlive it. Throws an Error if the vocabulary can't tell the
    // verdicts of a mode apart by one token.
    Asking(const Tokenizer& tokenizer, const GraderOptions& options, std::uint32_t context);

    Asked ask(const Item& item) const;
    // Of the prompt that shows the responses as they are given, however long.
    std::size_t count_tokens(const Item& item) const;

    const Ending& ending(Mode mode) const { return endings_[static_cast<std::size_t>(mode)]; }

private:
    Asked ask_whole(const Item& item) const;
    std::variant<Question, Unscored> question(const Prompt& prompt, Mode mode, Order order) const;
    std::optional<TruncatedItem> truncated(const Item& item) const;

    const Tokenizer& tokenizer_;
    const GraderOptions& options_;
    std::uint32_t context_;
    std::array<Ending, 2> endings_;  // by mode
    std::size_t longest_piece_;      // bytes that a token stands for at most
};

}  // namespace assay
