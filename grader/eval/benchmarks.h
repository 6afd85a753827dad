#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grader/mode.h"

namespace assay::eval {

// How the Prometheus 2 paper's evaluation asks a judge: for scores of responses (a2a); for scores
// of both responses of a pair, of which the better one wins (a2r); for the better of the two (r2r).
enum class Protocol { a2a, a2r, r2r };

std::string_view name(Protocol protocol);
std::string_view describe(Protocol protocol);  // "scores of both responses, compared"

// What judges are measured by: records with what people or a stronger judge said of them.
struct Benchmark {
    std::string_view name;  // as --benchmark takes it
    std::string_view title;
    std::string_view measures;       // one line
    std::string_view file;           // the name under which it is published
    std::string_view source;         // where that is
    std::size_t records;             // that the published file has; 0: it differs
    std::string_view dataset;        // the layout of its records, as open_dataset() calls it
    Mode mode;                       // relative: its records are pairs
    std::string_view headline;       // the figure that stands for it among other benchmarks
    std::string_view groups;         // what groups its figures are also given by; empty: none
    bool exact = false;              // also the share of scores equal to the label
    bool means = false;              // also the mean score of each group: it measures the responses
    bool transitive = false;         // every two of an instruction's responses form a pair
    bool blank_rubric = false;       // the published code's rubric begins with an empty line
    bool system_line = false;        // the published code ends the system text with a line break
    std::string_view left_out = {};  // records with this in their ids do not count; empty: none
    std::uint32_t runs = 3;          // texts for each score in a2a
    std::uint32_t context = 4900;    // tokens of a prompt and its answer (max_model_len)

    std::vector<Protocol> protocols() const;  // in which a judge can be asked
};

std::span<const Benchmark> benchmarks();

// Throws an Error that lists the benchmarks when there is none of that name.
const Benchmark& benchmark_named(std::string_view name);
// Null if no benchmark is published under that name.
const Benchmark* benchmark_of_file(std::string_view file);

}  // namespace assay::eval
