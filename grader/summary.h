#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "grader/facts.h"

namespace assay {

// What only the run itself can tell.
struct RunFigures {
    double seconds = 0;  // of grading; loading is not in it
    std::optional<double> joules = {};
    std::string energy_source = {};
    std::uint64_t preemptions = 0;
    std::uint64_t guessed_tokens = 0, accepted_tokens = 0;  // by speculation
};

// Counts what came of the items: of all of them, and what this run took for those it graded.
class Summary {
public:
    void add(const RecordFacts& facts);         // of an item that this run graded
    void add_before(const RecordFacts& facts);  // of one that has its record from an earlier run

    std::size_t graded() const { return graded_; }
    std::size_t unscored() const { return unscored_; }
    std::size_t items() const { return graded_ + unscored_; }
    std::size_t items_before() const { return before_; }
    // By the records of this run.
    std::size_t items_now() const { return items() - before_; }
    std::uint64_t prompt_tokens() const { return prompt_tokens_; }
    std::uint64_t generated_tokens() const { return generated_tokens_; }

    std::string text(const RunFigures& run) const;  // lines for a person, the last without its end
    nlohmann::ordered_json json(const RunFigures& run) const;

private:
    void count(const RecordFacts& facts);

    std::size_t graded_ = 0, unscored_ = 0, forced_ = 0, before_ = 0;
    std::map<char, std::size_t> verdicts_;
    std::size_t truncated_ = 0, longer_than_trained_ = 0;
    std::size_t pairs_ = 0, consistent_ = 0;  // judged in both orders; with the same verdict
    // Of this run.
    std::size_t graded_now_ = 0;
    std::uint64_t prompt_tokens_ = 0, cached_tokens_ = 0, generated_tokens_ = 0;
};

}  // namespace assay
