#include "grader/plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_bins = 12, widest_bar = 40, most_named = 20;

struct Bin {
    std::size_t from, to;  // tokens, both among them
    std::size_t items = 0;
};

// Bins of equal, round widths for what the context takes, and one for what is longer.
std::vector<Bin> histogram(const std::vector<std::size_t>& sorted, std::uint32_t context) {
    const auto longer = std::ranges::upper_bound(sorted, context);
    const std::vector<std::size_t> fitting(sorted.begin(), longer);
    std::vector<Bin> bins;
    if (!fitting.empty()) {
        const std::size_t least = fitting.front(), most = fitting.back();
        std::size_t width = 1;
        for (std::size_t i = 0; most / width - least / width + 1 > most_bins; ++i)
            width = i % 3 == 1 ? width / 2 * 5 : width * 2;  // 1, 2, 5, 10, 20, 50 ...
        for (std::size_t from = least / width * width; from <= most; from += width)
            bins.push_back({from, from + width - 1});
        for (const std::size_t length : fitting) ++bins[length / width - least / width].items;
    }
    if (longer != sorted.end())
        bins.push_back({context + std::size_t{1}, sorted.back(),
                        static_cast<std::size_t>(sorted.end() - longer)});
    return bins;
}

// The least of the sorted lengths that a share of them does not exceed.
std::size_t quantile(const std::vector<std::size_t>& sorted, std::size_t percent) {
    return sorted[(sorted.size() * percent + 99) / 100 - 1];
}

std::size_t common_beginning(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::string right(std::size_t number, std::size_t width) {
    const std::string text = std::to_string(number);
    return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string text_of(const std::vector<Bin>& bins) {
    const std::size_t most = std::ranges::max(bins, {}, &Bin::items).items;
    const std::size_t digits = std::to_string(bins.back().to).size();
    std::string text;
    for (const auto& [from, to, items] : bins)
        text += "  " + right(from, digits) + " to " + right(to, digits) + "  " +
                std::string((items * widest_bar + most - 1) / most, '#') + " " +
                std::to_string(items) + "\n";
    return text;
}

std::string text_of(const Plan::LongItem& item) {
    std::string text = "  " + item.id.text + ": " + std::to_string(item.tokens) + " tokens";
    for (const auto& [field, tokens] : item.left_out)
        text += ", " + std::to_string(tokens) + " of " + field;
    return text + (item.left_out.empty() ? "" : " left out") + "\n";
}

std::string lengths_text(const Plan& plan) {
    std::vector<std::size_t> sorted = plan.lengths;
    std::ranges::sort(sorted);
    return "tokens of an item's prompt: least " + std::to_string(sorted.front()) + ", median " +
           std::to_string(quantile(sorted, 50)) + ", 90 % have at most " +
           std::to_string(quantile(sorted, 90)) + ", most " + std::to_string(sorted.back()) +
           "; the context has " + std::to_string(plan.context) + "\n" +
           text_of(histogram(sorted, plan.context));
}

std::string too_long_text(const Plan& plan) {
    const std::size_t refused = plan.unscored() - plan.bad.size();
    std::string text = "too long for the context: " + std::to_string(plan.too_long.size()) + ", " +
                       std::to_string(refused) + " of them refused\n";
    for (std::size_t i = 0; i < std::min(plan.too_long.size(), most_named); ++i)
        text += text_of(plan.too_long[i]);
    if (plan.too_long.size() > most_named)
        text += "  and " + std::to_string(plan.too_long.size() - most_named) +
                " more (--json names all)\n";
    return text;
}

}  // namespace

std::size_t Plan::unscored() const {
    return bad.size() + static_cast<std::size_t>(std::ranges::count_if(
                            too_long, [](const LongItem& item) { return item.left_out.empty(); }));
}

Planner::Planner(const Tokenizer& tokenizer, const GraderOptions& options, std::uint32_t context)
    : options_(options), asking_(tokenizer, options, context) {
    plan_.context = context;
}

void Planner::add(const std::variant<Item, BadItem>& next) {
    if (const auto* bad = std::get_if<BadItem>(&next)) {
        plan_.bad.push_back({bad->id, bad->what()});
        return;
    }
    const Item& item = std::get<Item>(next);
    Asked asked = asking_.ask(item);
    if (asked.unscored && asked.unscored->reason != "context_exceeded") {
        plan_.bad.push_back({item.id, asked.unscored->error});
        return;
    }
    ++(item.mode == Mode::absolute ? plan_.absolute : plan_.pairs);
    const bool whole = !asked.unscored && !asked.truncated;
    plan_.lengths.push_back(whole ? asked.questions.front().prompt.size()
                                  : asking_.count_tokens(item));
    if (!whole)
        plan_.too_long.push_back(
            {item.id, plan_.lengths.back(),
             asked.truncated ? std::move(asked.truncated->left_out) : std::vector<LeftOut>()});
    if (std::ranges::count(asked.warnings, "longer_than_trained") > 0) ++plan_.longer_than_trained;
    add_texts(asked.questions);
}

void Planner::add_texts(const std::vector<Question>& questions) {
    const std::uint64_t samples = options_.verdict_only ? 1 : options_.samples;
    for (const Question& question : questions) {
        const std::uint64_t tokens = question.prompt.size();
        plan_.texts += samples;
        plan_.prompt_tokens += samples * tokens;
        plan_.shared_tokens += common_beginning(question.prompt, before_) + (samples - 1) * tokens;
        if (!options_.verdict_only) plan_.written_at_most += samples * question.max_new_tokens;
        before_ = question.prompt;
    }
}

std::string text_of(const Plan& plan) {
    const auto count = [](std::uint64_t number) { return std::to_string(number); };
    std::string text =
        count(plan.absolute + plan.pairs) + " items, " + count(plan.pairs) + " of them pairs\n";
    if (!plan.bad.empty()) text += count(plan.bad.size()) + " records that cannot be graded\n";
    for (std::size_t i = 0; i < std::min(plan.bad.size(), most_named); ++i)
        text += "  " + plan.bad[i].id.text + ": " + plan.bad[i].error + "\n";
    if (plan.lengths.empty()) return text;
    text += lengths_text(plan);
    if (!plan.too_long.empty()) text += too_long_text(plan);
    if (plan.longer_than_trained > 0)
        text += "longer than the " + count(trained_tokens) +
                " tokens that judges are trained on: " + count(plan.longer_than_trained) + "\n";
    return text + count(plan.texts) + " texts: " + count(plan.prompt_tokens) +
           " tokens to read, of which " + count(plan.shared_tokens) +
           " begin a prompt as the one before; at most " + count(plan.written_at_most) +
           " to write\n";
}

Json to_json(const Plan& plan) {
    Json bad = Json::array(), too_long = Json::array(), bins = Json::array();
    for (const auto& [id, error] : plan.bad) bad.push_back({{"id", to_json(id)}, {"error", error}});
    for (const auto& [id, tokens, left_out] : plan.too_long) {
        too_long.push_back({{"id", to_json(id)}, {"tokens", tokens}});
        if (!left_out.empty()) too_long.back()["truncated"] = to_json(left_out);
    }
    Json lengths;
    if (!plan.lengths.empty()) {
        std::vector<std::size_t> sorted = plan.lengths;
        std::ranges::sort(sorted);
        for (const auto& [from, to, items] : histogram(sorted, plan.context))
            bins.push_back({{"from", from}, {"to", to}, {"items", items}});
        lengths = {{"min", sorted.front()},
                   {"median", quantile(sorted, 50)},
                   {"p90", quantile(sorted, 90)},
                   {"max", sorted.back()},
                   {"histogram", bins}};
    }
    return {{"items", {{"absolute", plan.absolute}, {"pairs", plan.pairs}}},
            {"bad_records", bad},
            {"context", plan.context},
            {"prompt_tokens", lengths},
            {"too_long", too_long},
            {"longer_than_trained", plan.longer_than_trained},
            {"texts", plan.texts},
            {"tokens",
             {{"prompts", plan.prompt_tokens},
              {"shared_with_prompt_before", plan.shared_tokens},
              {"written_at_most", plan.written_at_most},
              {"at_most", plan.prompt_tokens + plan.written_at_most}}}};
}

}  // namespace assay
