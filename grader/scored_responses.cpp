#include "grader/scored_responses.h"

#include <optional>
#include <utility>
#include <variant>

#include "grader/ending.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::string_view label_column = "label", by_whom = "label.";

std::optional<double> label_score(const Item& item, const std::string& score) {
    if (!item.label) return std::nullopt;
    if (score == label_column) return item.label->mean();
    return item.label->mean_of(score.substr(by_whom.size()));
}

std::optional<double> number_in(const Result& record, const std::string& column) {
    const Cell found = cell(record, column);
    if (std::holds_alternative<std::string>(found))
        throw Error("line " + std::to_string(record.line) + ": " + column +
                    ": expected a number, found a string");
    const double* number = std::get_if<double>(&found);
    return number ? std::optional(*number) : std::nullopt;
}

// The item that the record was made of: with the same content, if the record tells that.
const Item* item_of(const Result& record, const GradedItems& items) {
    const Item* item = items.of(record);
    const bool is_known = item && !record.item_hash.empty();
    return is_known && item_hash(*item) != record.item_hash ? nullptr : item;
}

}  // namespace

ScoredResponses labelled_responses(ItemSource& items, const std::string& score) {
    if (score != label_column && !score.starts_with(by_whom))
        throw Error("score " + score + ": items have label, or label.NAME of one who gave it; " +
                    "other columns are those of records");
    ScoredResponses read;
    while (auto next = items.next()) {
        if (const auto* bad = std::get_if<BadItem>(&*next)) {
            read.bad.push_back(*bad);
            continue;
        }
        Item& item = std::get<Item>(*next);
        const auto number = label_score(item, score);
        if (item.mode == Mode::relative)
            ++read.pairs;
        else if (number)
            read.responses.push_back({std::move(item), *number});
        else
            ++read.unscored;
    }
    return read;
}

ScoredResponses graded_responses(std::span<const Result> records, const GradedItems& items,
                                 const std::string& score) {
    ScoredResponses read;
    for (const Result& record : records) {
        if (record.mode == Mode::relative) {
            ++read.pairs;
            continue;
        }
        const auto number = number_in(record, score);
        const Item* item = item_of(record, items);
        if (!number)
            ++read.unscored;
        else if (!item)
            ++read.without_item;
        else
            read.responses.push_back({*item, *number, without_verdict(record.text("feedback"))});
    }
    return read;
}

std::string without_verdict(std::string_view feedback) {
    std::string_view text = feedback.substr(0, feedback.rfind(verdict_marker));
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return std::string(text.substr(0, last == text.npos ? 0 : last + 1));
}

}  // namespace assay
