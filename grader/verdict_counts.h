#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "grader/results.h"

namespace assay {

// What a label would be as a verdict: its mean rounded, halves upwards, or 'A', 'B' or '=' for a
// tie. Nothing for a mean outside of 1 to 5.
std::optional<char> symbol_of(const Label& label);
std::string symbol_name(char symbol);  // for people: "tie" for '='

// How often the judge and the labels gave each verdict.
struct VerdictCounts {
    std::size_t scored = 0, unscored = 0;
    std::map<char, std::size_t> verdicts, labels;  // labels of scored items alone, on 1 to 5
    std::map<std::pair<char, char>, std::size_t> confusion;  // (label, verdict) -> items
    std::vector<std::string> inconsistent;  // ids of pairs with another verdict in the other order
};
VerdictCounts count_verdicts(std::span<const Result> results);

}  // namespace assay
