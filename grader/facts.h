#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace assay {

// What is counted of a record. It is read from the record's JSON, so that those of an earlier run
// count as those of this one.
struct RecordFacts {
    char verdict = 0;  // of legal_verdicts(); 0: unscored
    bool forced = false;
    std::optional<double> expected_score = {};  // of an absolute grade
    std::optional<double> p_a = {};             // of a pair: how likely A is better
    std::optional<bool> consistent = {};        // of a pair judged in both orders
    bool truncated = false;                     // the judge did not see all of the item
    bool longer_than_trained = false;           // of a prompt
    std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;

    bool scored() const { return verdict != 0; }
};

// Fields that are missing or of another type are as their defaults are.
RecordFacts facts_of(const nlohmann::ordered_json& record);

}  // namespace assay
