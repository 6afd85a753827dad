#include "grader/truncate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace assay {
namespace {

std::string mark(std::size_t tokens) {
    return "\n[... " + std::to_string(tokens) + " tokens left out ...]\n";
}

// A text as tokens, which its middle can be left out of.
class TokenText {
public:
    TokenText(const Tokenizer& tokenizer, std::string_view text) {
        StreamDecoder decoder(tokenizer);
        for (const TokenId id : tokenizer.encode(text)) {
            text_ += decoder.push(id);
            ends_.push_back(text_.size());
        }
        mark_tokens_ = tokenizer.encode(mark(size())).size();
    }

    std::size_t size() const { return ends_.size(); }

    struct Cut {
        std::string text;
        std::size_t left_out;  // tokens
    };
    // The text with so many of its tokens at most, half of them at each end; nullopt if the mark
    // would take what that saves.
    std::optional<Cut> keep(std::size_t tokens) const {
        std::size_t head = (tokens + 1) / 2, tail = size() - tokens / 2;
        while (!ends_character(head)) --head;
        while (!ends_character(tail)) ++tail;
        if (tail <= head + mark_tokens_) return std::nullopt;
        return Cut{text_.substr(0, end(head)) + mark(tail - head) + text_.substr(end(tail)),
                   tail - head};
    }

private:
    std::size_t end(std::size_t tokens) const { return tokens > 0 ? ends_[tokens - 1] : 0; }
    // A token whose bytes wait for more to become a character has no text yet.
    bool ends_character(std::size_t tokens) const {
        return tokens == 0 || tokens == size() || end(tokens) > end(tokens - 1);
    }

    std::string text_;
    std::vector<std::size_t> ends_;  // of the text of each token and those before it, in bytes
    std::size_t mark_tokens_;
};

// A text of an item.
struct Part {
    std::string field;
    std::string& (*place)(Item& item);
    TokenText text;
    std::size_t length;  // tokens; of a pair's responses, those of the longer one

    std::size_t kept(std::size_t longest) const {
        const std::size_t share = text.size() * longest / std::max<std::size_t>(length, 1);
        return std::min(text.size(), std::max(share, least_kept_tokens));
    }
};

std::vector<Part> parts_of(Item item, const Tokenizer& tokenizer) {
    std::vector<Part> parts;
    const auto add = [&](const char* field, std::string& (*place)(Item&)) {
        TokenText text(tokenizer, place(item));
        const std::size_t length = text.size();
        parts.push_back({field, place, std::move(text), length});
    };
    add("instruction", [](Item& it) -> std::string& { return it.instruction; });
    const bool pair = item.mode == Mode::relative;
    add(pair ? "response_A" : "response", [](Item& it) -> std::string& { return it.response; });
    if (pair) {
        add("response_B", [](Item& it) -> std::string& { return it.response_b; });
        Part &a = parts[parts.size() - 2], &b = parts.back();
        a.length = b.length = std::max(a.length, b.length);
    }
    if (item.reference_answer)
        add("reference_answer", [](Item& it) -> std::string& { return *it.reference_answer; });
    if (!item.context.empty()) add("context", [](Item& it) -> std::string& { return it.context; });
    return parts;
}

TruncatedItem cut_to(std::size_t longest, const Item& item, std::span<const Part> parts) {
    TruncatedItem cut{item, {}};
    for (const Part& part : parts)
        if (auto shorter = part.text.keep(part.kept(longest))) {
            part.place(cut.item) = std::move(shorter->text);
            cut.left_out.push_back({part.field, shorter->left_out});
        }
    return cut;
}

}  // namespace

std::string_view name(TooLong policy) {
    return policy == TooLong::refuse ? "refuse" : "truncate-middle";
}

nlohmann::ordered_json to_json(std::span<const LeftOut> left_out) {
    auto json = nlohmann::ordered_json::object();
    for (const auto& [field, tokens] : left_out) json[field] = tokens;
    return json;
}

std::optional<TruncatedItem> truncate_middle(const Item& item, const Tokenizer& tokenizer,
                                             const CountTokens& count_tokens, std::size_t most) {
    const std::vector<Part> parts = parts_of(item, tokenizer);
    // Texts of at most `fits` tokens make a prompt that is short enough, of `too_many` none.
    std::size_t fits = least_kept_tokens;
    std::size_t too_many = std::min(most, std::ranges::max(parts, {}, &Part::length).length);
    TruncatedItem best = cut_to(fits, item, parts);
    if (count_tokens(best.item) > most) return std::nullopt;
    while (fits + 1 < too_many) {
        const std::size_t longest = fits + (too_many - fits) / 2;
        TruncatedItem cut = cut_to(longest, item, parts);
        if (count_tokens(cut.item) <= most) {
            fits = longest;
            best = std::move(cut);
        } else {
            too_many = longest;
        }
    }
    return best;
}

}  // namespace assay
