#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "grader/eval/questions.h"
#include "grader/results.h"

namespace assay::eval {

// What a judge made of a response, in one text or several.
struct Scored {
    std::vector<double> scores;  // one of each text
    double expected;             // the mean of their expected scores

    double mean() const;
};

// What a judge made of a pair.
struct Ranked {
    char verdict;                      // in the given order: 'A' or 'B'
    char overall;                      // of all orders and texts together
    std::optional<bool> consistent{};  // in both orders
};

// What came of a record.
struct Outcome {
    std::optional<Scored> score;                    // a2a
    std::optional<std::array<Scored, 2>> scores{};  // a2r: of the chosen and the rejected response
    std::optional<Ranked> rank{};                   // r2r
};

struct QuestionCounts {
    std::size_t asked = 0;     // questions
    std::size_t missing = 0;   // without a record
    std::size_t unscored = 0;  // with one that has no verdict
    std::size_t texts = 0;     // of those scored
    std::size_t forced = 0;    // texts that state no verdict
    std::size_t redrawn = 0;   // texts drawn in place of ones that stated none
    std::size_t alike = 0;     // pairs without a tie that were scored alike at first (a2r) ...
    std::size_t at_last = 0;   // ... and at last
};

struct Outcomes {
    std::vector<Outcome> of_records;  // in their order
    QuestionCounts counts;
};

// The outcomes of a benchmark's records by what a judge was asked of them. Results of other
// questions do not count, nor do those of a text that has changed since. Throws an Error that names
// the line of a result that no run wrote.
Outcomes outcomes_of(const Benchmark& benchmark, std::span<const Item> records,
                     const QuestionOptions& options, std::span<const Result> results);

}  // namespace assay::eval
