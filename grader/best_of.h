#pragma once
#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "grader/facts.h"
#include "grader/item.h"

namespace assay {

// The best of several responses to one instruction: the one with the greatest expected score, of
// equals the first.
class BestOf {
public:
    // In any order; `number` is the item's place among all. Pairs and unscored items do not count.
    void add(const Item& item, std::size_t number, const RecordFacts& facts);

    // {"instruction", "id", "response", "expected_score", "of": how many had a score}, instructions
    // in the order of their first response with a score.
    std::vector<nlohmann::ordered_json> lines() const;
    std::size_t pairs() const { return pairs_; }  // that were left out

private:
    struct Best {
        ItemId id;
        std::string response;
        std::size_t number = 0;
        double expected_score = 0;
        std::size_t of = 0;
        std::size_t first = 0;  // number of the first with a score
    };

    std::map<std::string, Best> best_;  // by instruction
    std::size_t pairs_ = 0;
};

}  // namespace assay
