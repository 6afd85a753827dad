#include "grader/verdict.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "grader/unicode.h"

namespace assay {
namespace {

// The compat parser is prometheus-eval's two regular expressions (parser.py, version 0.1.20),
// written out by hand: in both, what follows a head can be read in only one way, so no backtracking
// is needed and a text of any length is read once. A head may be tried at every position; the
// leftmost full match counts.

using Text = std::u32string_view;
using End = std::optional<std::size_t>;  // where a part of the pattern stopped, if it matched

struct Found {
    char symbol;
    std::size_t index;  // of the symbol, in code points
};

std::size_t skip_spaces(Text text, std::size_t i) {
    while (i < text.size() && is_space(text[i])) ++i;
    return i;
}

bool only_spaces(Text text, std::size_t i) { return skip_spaces(text, i) == text.size(); }

bool has(Text text, std::size_t i, char32_t c) { return i < text.size() && text[i] == c; }

// `word` in lower case, matched in any case.
End match_word(Text text, std::size_t i, std::string_view word) {
    if (text.size() - i < word.size()) return std::nullopt;
    for (const char c : word)
        if (fold_case(text[i++]) != static_cast<char32_t>(c)) return std::nullopt;
    return i;
}

End match_spaces_and_word(Text text, std::size_t i, std::string_view word) {
    const std::size_t start = skip_spaces(text, i);
    return start > i ? match_word(text, start, word) : std::nullopt;
}

// (?:(?:\)|\]|\s|$)|(?:/\s*5|\s*out\s*of\s*5))? (?:\s*$)
bool ends_after_number(Text text, std::size_t i) {
    if (only_spaces(text, i)) return true;
    if (has(text, i, U')') || has(text, i, U']')) return only_spaces(text, i + 1);
    End scale;
    if (has(text, i, U'/'))
        scale = i + 1;
    else if (const End out = match_word(text, skip_spaces(text, i), "out"))
        scale = match_word(text, skip_spaces(text, *out), "of");
    if (!scale) return false;
    const std::size_t five = skip_spaces(text, *scale);
    return has(text, five, U'5') && only_spaces(text, five + 1);
}

struct Number {
    int value;
    std::size_t index;  // of its last digit
};

// \s* (?:\(|\[|\s)* (\d+), then the end. A value above 99 is cut to 99.
std::optional<Number> match_last_number(Text text, std::size_t i) {
    while (i < text.size() && (is_space(text[i]) || text[i] == U'(' || text[i] == U'[')) ++i;
    const std::size_t first = i;
    int value = 0;
    for (; i < text.size(); ++i) {
        const std::optional<int> digit = digit_value(text[i]);
        if (!digit) break;
        value = std::min(value * 10 + *digit, 99);
    }
    if (i == first || !ends_after_number(text, i)) return std::nullopt;
    return Number{value, i - 1};
}

// \[RESULT\]|\[SCORE\]|Score:?|score:?|Result:?|\[Result\]:?|score\s+of
struct ScoreHead {
    std::string_view word;
    bool colon;  // one may follow
};
constexpr std::array<ScoreHead, 4> score_heads{
    {{"[result]", true}, {"[score]", false}, {"score", true}, {"result", true}}};

std::optional<Number> match_score(Text text, std::size_t i) {
    for (const ScoreHead& head : score_heads) {
        const End end = match_word(text, i, head.word);
        if (!end) continue;
        if (const auto number = match_last_number(text, *end)) return number;
        if (head.colon && has(text, *end, U':')) return match_last_number(text, *end + 1);
        if (head.word == "score")
            if (const End of = match_spaces_and_word(text, *end, "of"))
                return match_last_number(text, *of);
    }
    return std::nullopt;
}

std::optional<Found> find_score(Text text) {
    for (std::size_t i = 0; i < text.size(); ++i)
        if (const auto number = match_score(text, i)) {
            if (number->value < 1 || number->value > 5)
                return std::nullopt;  // the library tries no other match
            return Found{static_cast<char>('0' + number->value), number->index};
        }
    return std::nullopt;
}

// \s* (A|B) (?:\])? (?:\s*$), where $ is the end of any line
std::optional<Found> match_choice(Text text, std::size_t i) {
    const std::size_t letter = skip_spaces(text, i);
    if (letter == text.size()) return std::nullopt;
    const char32_t folded = fold_case(text[letter]);
    if (folded != U'a' && folded != U'b') return std::nullopt;
    std::size_t end = letter + 1;
    if (has(text, end, U']')) ++end;
    while (end < text.size() && is_space(text[end]) && text[end] != U'\n') ++end;
    if (end < text.size() && text[end] != U'\n') return std::nullopt;
    return Found{folded == U'a' ? 'A' : 'B', letter};
}

// \[RESULT\]|\[RESULT:\s*|\[Response\s+|\[Result\](?:\s+Response)?|\[Result:\s*|(?:^|\n)Result:?\s*
std::optional<Found> match_better(Text text, std::size_t i) {
    if (const End end = match_word(text, i, "[result]")) {
        const End response = match_spaces_and_word(text, *end, "response");
        return match_choice(text, response ? *response : *end);
    }
    if (const End end = match_word(text, i, "[result:")) return match_choice(text, *end);
    if (const End end = match_word(text, i, "[response"))
        return skip_spaces(text, *end) > *end ? match_choice(text, *end) : std::nullopt;
    const bool line_start = i == 0 || text[i - 1] == U'\n';
    if (const End end = line_start ? match_word(text, i, "result") : std::nullopt)
        return match_choice(text, has(text, *end, U':') ? *end + 1 : *end);
    return std::nullopt;
}

std::optional<Found> find_better(Text text) {
    for (std::size_t i = 0; i < text.size(); ++i)
        if (const auto found = match_better(text, i)) return found;
    return std::nullopt;
}

// run_evaluate.py: "[RESULT]" stands in the text once, and what follows is the verdict alone.
std::optional<Found> find_strict(Mode mode, Text text) {
    constexpr Text mark = U"[RESULT]";
    const std::size_t at = text.find(mark);
    if (at == Text::npos || text.find(mark, at + mark.size()) != Text::npos) return std::nullopt;
    std::size_t first = skip_spaces(text, at + mark.size());
    std::size_t last = text.size();
    while (last > first && is_space(text[last - 1])) --last;
    const std::string_view legal = legal_verdicts(mode);
    if (last - first != 1 || text[first] > U'Z') return std::nullopt;
    const char symbol = static_cast<char>(text[first]);
    if (legal.find(symbol) == std::string_view::npos) return std::nullopt;
    return Found{symbol, first};
}

std::optional<Found> find_compat(Mode mode, Text text) {
    return mode == Mode::absolute ? find_score(text) : find_better(text);
}

struct ParserEntry {
    std::string_view name;
    std::optional<Found> (*find)(Mode, Text);
};
constexpr std::array<ParserEntry, 2> parsers{{{"compat", find_compat}, {"strict", find_strict}}};

const ParserEntry& entry(Parser parser) { return parsers.at(static_cast<std::size_t>(parser)); }

}  // namespace

std::string_view name(Parser parser) { return entry(parser).name; }

Parser parser_named(std::string_view name) {
    for (std::size_t i = 0; i < parsers.size(); ++i)
        if (parsers[i].name == name) return static_cast<Parser>(i);
    throw std::runtime_error("parser \"" + std::string(name) + "\": there are compat and strict");
}

std::optional<VerdictMatch> find_verdict(Parser parser, Mode mode, std::string_view text) {
    const auto found = entry(parser).find(mode, decode_utf8(text));
    if (!found) return std::nullopt;
    return VerdictMatch{{found->symbol}, utf8_prefix_bytes(text, found->index)};
}

// A letter that no pattern takes unmakes every match that the end of the text belongs to. A match
// that stays has read a line break, which no pattern that begins before it reads another way.
bool is_certain(Parser parser, Mode mode, std::string_view text) {
    return find_verdict(parser, mode, std::string(text) + "x").has_value();
}

}  // namespace assay
