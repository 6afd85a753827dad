#include "grader/graded_items.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

namespace assay {

void GradedItems::add(Item item) {
    std::string id = item.id.text;
    items_.emplace(std::move(id), std::move(item));
}

const Item* GradedItems::of(const Result& result) const {
    const auto [first, end] = items_.equal_range(result.id);
    if (first == end) return nullptr;
    const auto same = std::find_if(first, end, [&](const auto& entry) {
        return std::next(first) == end || item_hash(entry.second) == result.item_hash;
    });
    return &(same == end ? first : same)->second;
}

GradedItems read_graded_items(const std::string& path, const DatasetOptions& options) {
    GradedItems all;
    const auto items = open_dataset(path, options);
    while (auto next = items->next())
        if (auto* item = std::get_if<Item>(&*next)) all.add(std::move(*item));
    return all;
}

}  // namespace assay
