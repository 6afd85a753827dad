#pragma once
#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grader/item.h"
#include "model/tokenizer.h"

namespace assay {

// What becomes of an item whose prompt is longer than the context.
enum class TooLong { refuse, truncate_middle };

std::string_view name(TooLong policy);  // refuse, truncate-middle

// How much of one of its texts an item leaves out.
struct LeftOut {
    std::string field;  // as items spell it: instruction, response, response_A ...
    std::size_t tokens;
};

// {"instruction": tokens, ...}
nlohmann::ordered_json to_json(std::span<const LeftOut> left_out);

struct TruncatedItem {
    Item item;
    std::vector<LeftOut> left_out;  // of the texts that are shorter than they were
};

constexpr std::size_t least_kept_tokens = 32;  // of a text that is cut: less of it says nothing

using CountTokens = std::function<std::size_t(const Item& item)>;

// Leaves out the middle of the longest of an item's texts, those of instruction, responses,
// reference answer and context, so that count_tokens says at most `most`. As many tokens are kept
// of each text that is cut; of a pair's responses the same share, so that neither is favoured.
// Where something is left out stands "\n[... 512 tokens left out ...]\n". A cut is where a token
// and a character end. Nullopt if no such item is short enough. An item that is short enough as it
// is may be cut as well.
std::optional<TruncatedItem> truncate_middle(const Item& item, const Tokenizer& tokenizer,
                                             const CountTokens& count_tokens, std::size_t most);

}  // namespace assay
