#pragma once
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grader/eval/figures.h"

namespace assay::eval {

// How good a judge is on a benchmark.
struct Evaluation {
    const Benchmark* benchmark;
    std::string judge;  // its name
    std::string data;   // the file of records
    std::size_t records = 0, bad_records = 0;
    std::size_t left_out = 0;  // records that do not count by the benchmark's rules
    QuestionOptions how = {};
    QuestionCounts counts = {};
    std::vector<Figure> figures = {};

    const Figure* find(std::string_view metric) const;  // nullptr if there is none of that name
    bool is_whole() const;  // every record could be read and every question has a verdict
};

// For a person, lines that each end in a line break: the figures, then those of them that papers
// give of other judges.
std::string to_text(const Evaluation& evaluation);
// One figure of each benchmark, and the published ones beside it.
std::string closing_table(std::span<const Evaluation> evaluations);

// Judges on the same benchmark, a line each: its headline and what papers give of it, with
// intervals of 95 %.
std::string side_by_side(std::span<const Evaluation> evaluations);

nlohmann::ordered_json to_json(const Evaluation& evaluation);
nlohmann::ordered_json to_json(const Benchmark& benchmark);

}  // namespace assay::eval
