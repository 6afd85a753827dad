#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "grader/asking.h"
#include "grader/item.h"

namespace assay {

// What grading some items would take.
struct Plan {
    // An item whose prompt is longer than the context.
    struct LongItem {
        ItemId id;
        std::size_t tokens;             // of its whole prompt
        std::vector<LeftOut> left_out;  // to fit the context; none: it is refused
    };
    // A record that cannot be graded for another reason.
    struct BadRecord {
        ItemId id;
        std::string error;
    };

    std::uint32_t context = 0;  // tokens
    std::size_t absolute = 0, pairs = 0;
    std::vector<BadRecord> bad;
    std::vector<std::size_t> lengths;  // tokens of each item's whole prompt
    std::vector<LongItem> too_long;
    std::size_t longer_than_trained = 0;  // items, as the judge is sent them

    std::size_t texts = 0;              // that are written: in each order and for each sample
    std::uint64_t prompt_tokens = 0;    // of those texts' prompts
    std::uint64_t shared_tokens = 0;    // of these, begin a prompt as the one before it begins
    std::uint64_t written_at_most = 0;  // tokens of feedback

    std::size_t unscored() const;  // records and items that will have no grade
};

// Makes a plan of items, one by one.
class Planner {
public:
    // Tokenizer and options must outlive it. Throws what Asking does.
    Planner(const Tokenizer& tokenizer, const GraderOptions& options, std::uint32_t context);

    void add(const std::variant<Item, BadItem>& item);
    const Plan& plan() const { return plan_; }

private:
    void add_texts(const std::vector<Question>& questions);

    const GraderOptions& options_;
    Asking asking_;
    std::vector<TokenId> before_;  // the prompt before
    Plan plan_;
};

std::string text_of(const Plan& plan);  // lines for a person
nlohmann::ordered_json to_json(const Plan& plan);

}  // namespace assay
