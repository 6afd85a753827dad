#include <algorithm>
#include <functional>

#include "grader/report/sections.h"

namespace assay::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t extremes = 10;  // of the slowest and the least certain
constexpr std::size_t most = 50;      // of the other lists; the table of records shows all

// A record of the run whose records are the rows of the page.
struct Item {
    std::size_t row;
    const Result* result;
};

struct List {
    const char *id, *title;
    std::vector<std::string> columns;  // after the record's id
    std::function<bool(const Result&)> is_in;
    std::function<std::optional<double>(const Result&)> greatest_first;  // null: in their order
    std::function<std::vector<Json>(const Result&)> cells;
    std::size_t length;
};

std::vector<Item> items_of(const Run& run, const List& list) {
    std::vector<Item> items;
    for (std::size_t row = 0; row < run.results.size(); ++row)
        if (list.is_in(run.results[row])) items.push_back({row, &run.results[row]});
    if (list.greatest_first)
        std::ranges::stable_sort(items, std::greater(), [&](const Item& item) {
            return list.greatest_first(*item.result).value_or(0);
        });
    return items;
}

std::optional<Chart> chart_of(const Run& run, const List& list) {
    std::vector<Item> items = items_of(run, list);
    if (items.empty()) return std::nullopt;
    const std::size_t all = items.size();
    items.resize(std::min(all, list.length));
    Table table{{"Record"}, {}, {}};
    table.columns.insert(table.columns.end(), list.columns.begin(), list.columns.end());
    for (const Item& item : items) {
        std::vector<Json> row{item.result->id};
        std::ranges::move(list.cells(*item.result), std::back_inserter(row));
        table.rows.push_back(std::move(row));
        table.links.push_back("open=" + std::to_string(item.row));
    }
    const std::string count = items.size() == all
                                  ? std::to_string(all)
                                  : std::to_string(items.size()) + " of " + std::to_string(all);
    return Chart{list.id, list.title + std::string(" (") + count + ")", std::move(table)};
}

Json verdict_of(const Result& result) { return std::string(1, result.facts.verdict); }
Json number_at(const Result& result, std::string_view path) {
    const auto value = result.number(path);
    return value ? Json(*value) : Json();
}
Json text_at(const Result& result, std::string_view path) {
    const std::string_view text = result.text(path);
    return text.empty() ? Json() : Json(text);
}

const std::vector<List>& lists() {
    static const std::vector<List> all{
        {"slowest",
         "Slowest",
         {"Verdict", "Milliseconds", "Tokens written"},
         [](const Result& result) { return result.scored() && milliseconds(result); },
         milliseconds,
         [](const Result& result) {
             return std::vector<Json>{verdict_of(result), std::round(*milliseconds(result)),
                                      result.facts.generated_tokens};
         },
         extremes},
        {"least_certain",
         "Least certain",
         {"Verdict", "Confidence", "Entropy"},
         [](const Result& result) { return result.scored() && result.number("entropy"); },
         [](const Result& result) { return result.number("entropy"); },
         [](const Result& result) {
             return std::vector<Json>{verdict_of(result), number_at(result, "confidence"),
                                      number_at(result, "entropy")};
         },
         extremes},
        {"inconsistent",
         "Orders disagree",
         {"Verdict", "A shown first", "B shown first"},
         [](const Result& result) { return result.facts.consistent == false; },
         nullptr,
         [](const Result& result) {
             return std::vector<Json>{verdict_of(result), text_at(result, "orders.ab.verdict"),
                                      text_at(result, "orders.ba.verdict")};
         },
         most},
        {"forced_items",
         "Verdict forced",
         {"Verdict", "Confidence", "Ended by"},
         [](const Result& result) { return result.facts.forced; },
         nullptr,
         [](const Result& result) {
             return std::vector<Json>{verdict_of(result), number_at(result, "confidence"),
                                      text_at(result, "finish")};
         },
         most},
        {"unscored_items",
         "Unscored",
         {"Reason", "Error"},
         [](const Result& result) { return !result.scored(); },
         nullptr,
         [](const Result& result) {
             return std::vector<Json>{text_at(result, "reason"), text_at(result, "error")};
         },
         most}};
    return all;
}

}  // namespace

Section items_section(Runs runs) {
    Section section{"items", "Items to look at", "", {}, {}};
    if (runs.size() > 1) section.note = "Of " + runs.front().name + ".";
    for (const List& list : lists())
        if (auto chart = chart_of(runs.front(), list)) section.charts.push_back(std::move(*chart));
    return section;
}

}  // namespace assay::report
