#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "grader/mode.h"

namespace assay {

// What a judge decides: a score, '1' to '5', or the better response, 'A' or 'B'.
struct Verdict {
    char symbol;

    int score() const { return symbol - '0'; }  // of an absolute verdict
    bool operator==(const Verdict&) const = default;
};

// The symbols a verdict can have, "12345" or "AB". Probabilities are kept in this order.
constexpr std::string_view legal_verdicts(Mode mode) {
    return mode == Mode::absolute ? "12345" : "AB";
}

// How a judge's text is read: as the prometheus-eval library does, or as its evaluation script
// does.
enum class Parser { compat, strict };

std::string_view name(Parser parser);

// Throws a runtime_error that lists the parsers when there is none of that name.
Parser parser_named(std::string_view name);

struct VerdictMatch {
    Verdict verdict;
    std::size_t offset;  // the byte of the text where the symbol starts
};

// The verdict a text states, and where. The text need not be valid UTF-8; the time is linear in its
// length.
std::optional<VerdictMatch> find_verdict(Parser parser, Mode mode, std::string_view text);

// Whether the text states a verdict that nothing written after it can change. That is so where
// compat reads a pair: the first line that ends in a verdict counts, once a line break has ended
// it. Scores of compat and all verdicts of strict must end the text, so that one more word unmakes
// them: they are never certain.
bool is_certain(Parser parser, Mode mode, std::string_view text);

}  // namespace assay
