#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "grader/pairs.h"
#include "grader/results.h"

// Pairs as they are written to files, with what a judge wrote of them.
namespace assay {

// What a judge wrote of a pair, as it stands, and decided.
struct Comparison {
    std::string feedback;  // up to its verdict
    char verdict;          // 'A' or 'B', as the text states it
};

// Of the record of a pair in one order or both; nothing if it is unscored, or if the text does not
// state its verdict.
std::optional<Comparison> comparison_of(const Result& record);
// Whether the judge prefers what is preferred, in both orders if it saw both.
bool agrees(const Result& record, char preferred);

struct PairLine {
    const ScoredResponse &a, &b;
    Item item;                             // of both, with a label
    std::optional<Comparison> comparison;  // nothing without a judge
};

// An item, with "scores": [of A, of B] and "judge": {"verdict", "feedback"}, which reading it
// ignores.
nlohmann::ordered_json native_line(const PairLine& line);

// A record as the Preference Collection has them, which trains a judge: "instruction" is the prompt
// of the profile hf-card, without its system text, "output" the feedback with "[RESULT]" and a
// verdict: the judge's, or without one what is preferred. A text that is not known is empty.
nlohmann::ordered_json preference_collection_line(const PairLine& line);

}  // namespace assay
