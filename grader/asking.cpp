#include "grader/asking.h"

#include <algorithm>
#include <utility>

#include "runtime/hash.h"

namespace assay {
namespace {

std::size_t find_longest_piece(const Tokenizer& tokenizer) {
    std::size_t longest = 1;
    for (TokenId id = 0; id < tokenizer.vocab_size(); ++id)
        longest = std::max(longest, tokenizer.piece(id).size());
    return longest;
}

Unscored context_exceeded(const std::string& tokens, std::uint32_t context) {
    return {"context_exceeded",
            "the prompt has " + tokens + " tokens, the context " + std::to_string(context)};
}

Item in_order(Item item, Order order) {
    if (order == Order::ba) std::swap(item.response, item.response_b);
    return item;
}

std::vector<Order> orders_of(Mode mode, Orders orders) {
    if (mode == Mode::relative && orders == Orders::both) return {Order::ab, Order::ba};
    return {Order::ab};
}

std::optional<Unscored> not_gradable(const GraderOptions& options, Mode mode) {
    if (!options.profile->has(mode))
        return Unscored{"unsupported_format", missing_format(*options.profile, mode)};
    if (options.scale && mode == Mode::relative)
        return Unscored{"unsupported_scale", "a pair has no score to tell on the scale " +
                                                 std::string(options.scale->name)};
    return std::nullopt;
}

}  // namespace

GraderOptions options_of(const Profile& profile) {
    GraderOptions options;
    options.profile = &profile;
    options.sampling = {.temperature = profile.sampling.temperature,
                        .top_p = profile.sampling.top_p,
                        .repetition_penalty = profile.sampling.repetition_penalty};
    options.max_new_tokens = profile.sampling.max_new_tokens;
    return options;
}

std::vector<TokenId> prompt_tokens(const Tokenizer& tokenizer, const Prompt& prompt) {
    std::vector<TokenId> ids(prompt.bos, tokenizer.bos_id());
    const std::vector<TokenId> text = tokenizer.encode(prompt.text);
    ids.insert(ids.end(), text.begin(), text.end());
    return ids;
}

Asking::Asking(const Tokenizer& tokenizer, const GraderOptions& options, std::uint32_t context)
    : tokenizer_(tokenizer),
      options_(options),
      context_(context),
      endings_{find_ending(tokenizer, Mode::absolute), find_ending(tokenizer, Mode::relative)},
      longest_piece_(find_longest_piece(tokenizer)) {}

Asked Asking::ask(const Item& item) const {
    if (auto unscored = not_gradable(options_, item.mode)) return {.unscored = unscored};
    Asked asked = ask_whole(item);
    if (asked.unscored && options_.too_long == TooLong::truncate_middle)
        if (auto shorter = truncated(item)) {
            asked = ask_whole(shorter->item);
            asked.truncated = std::move(shorter);
            asked.warnings.emplace_back("truncated");
        }
    if (options_.scale) asked.warnings.emplace_back("outside_training");
    return asked;
}

std::size_t Asking::count_tokens(const Item& item) const {
    return prompt_tokens(tokenizer_, render(*options_.profile, item)).size();
}

Asked Asking::ask_whole(const Item& item) const {
    Asked asked;
    for (const Order order : orders_of(item.mode, options_.orders)) {
        const Prompt prompt = render(*options_.profile, in_order(item, order));
        asked.warnings = prompt.warnings;
        auto made = question(prompt, item.mode, order);
        if (auto* unscored = std::get_if<Unscored>(&made)) {
            asked.questions.clear();
            asked.unscored = std::move(*unscored);
            return asked;
        }
        asked.questions.push_back(std::get<Question>(std::move(made)));
    }
    if (std::ranges::any_of(asked.questions,
                            [](const Question& q) { return q.prompt.size() > trained_tokens; }))
        asked.warnings.emplace_back("longer_than_trained");
    return asked;
}

std::variant<Question, Unscored> Asking::question(const Prompt& prompt, Mode mode,
                                                  Order order) const {
    // A text of megabytes need not be cut into tokens to see that it is too long.
    if (const std::size_t least = prompt.text.size() / longest_piece_; least >= context_)
        return context_exceeded("at least " + std::to_string(least), context_);
    std::vector<TokenId> tokens = prompt_tokens(tokenizer_, prompt);

    // The tail and the verdict must fit behind whatever is written.
    const std::size_t needed = tokens.size() + ending(mode).tail.size() + 1;
    if (needed + (options_.verdict_only ? 0 : 1) > context_)
        return context_exceeded(std::to_string(tokens.size()), context_);
    return Question{.mode = mode,
                    .order = order,
                    .prompt = std::move(tokens),
                    .prompt_hash = fnv1a(prompt.text),
                    .max_new_tokens = static_cast<std::uint32_t>(
                        std::min<std::size_t>(options_.max_new_tokens, context_ - needed))};
}

// The same of a pair in whichever orders it is judged.
std::optional<TruncatedItem> Asking::truncated(const Item& item) const {
    const std::uint32_t feedback =
        options_.verdict_only ? 0 : std::min(options_.max_new_tokens, context_ / 4);
    const std::size_t behind = ending(item.mode).tail.size() + 1 + feedback;
    if (behind >= context_) return std::nullopt;
    const auto count = [&](const Item& shorter) {
        std::size_t most = 0;
        for (const Order order : orders_of(item.mode, Orders::both))
            most = std::max(most, count_tokens(in_order(shorter, order)));
        return most;
    };
    Item seen = item;
    if (!shows_reference(*options_.profile, item.mode)) seen.reference_answer.reset();
    auto shorter = truncate_middle(seen, tokenizer_, count, context_ - behind);
    if (shorter && !seen.reference_answer) shorter->item.reference_answer = item.reference_answer;
    return shorter;
}

}  // namespace assay
