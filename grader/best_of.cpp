#include "grader/best_of.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "grader/record.h"

namespace assay {

void BestOf::add(const Item& item, std::size_t number, const RecordFacts& facts) {
    pairs_ += item.mode == Mode::relative;
    if (!facts.expected_score) return;
    const double score = *facts.expected_score;
    Best& best = best_[item.instruction];
    const bool better = best.of == 0 || score > best.expected_score ||
                        (score == best.expected_score && number < best.number);
    best.first = best.of == 0 ? number : std::min(best.first, number);
    ++best.of;
    if (!better) return;
    best.id = item.id;
    best.response = item.response;
    best.number = number;
    best.expected_score = score;
}

std::vector<nlohmann::ordered_json> BestOf::lines() const {
    std::map<std::size_t, nlohmann::ordered_json> by_first;
    for (const auto& [instruction, best] : best_)
        by_first[best.first] = {{"instruction", instruction},
                                {"id", to_json(best.id)},
                                {"response", best.response},
                                {"expected_score", best.expected_score},
                                {"of", best.of}};
    std::vector<nlohmann::ordered_json> lines;
    for (auto& [first, line] : by_first) lines.push_back(std::move(line));
    return lines;
}

}  // namespace assay
