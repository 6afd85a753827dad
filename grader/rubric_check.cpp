#include "grader/rubric_check.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <utility>

#include "grader/unicode.h"

namespace assay {
namespace {

constexpr std::size_t level_count = 5;
constexpr std::size_t near_share = 20;  // levels that differ in less than one in so many characters

std::string level_name(std::size_t level) { return "level " + std::to_string(level); }

bool is_punctuation(char32_t c) { return c < 0x80 && std::ispunct(static_cast<int>(c)); }

// The words in lower case, a space between them; punctuation counts as space where `words_alone`.
std::u32string folded(std::string_view text, bool words_alone) {
    std::u32string result;
    for (const char32_t c : decode_utf8(text)) {
        const bool space = is_space(c) || (words_alone && is_punctuation(c));
        if (!space)
            result += fold_case(c);
        else if (!result.empty() && result.back() != U' ')
            result += U' ';
    }
    if (result.ends_with(U' ')) result.pop_back();
    return result;
}

// What two texts have between the beginning and the end they share.
std::pair<std::u32string_view, std::u32string_view> difference(std::u32string_view a,
                                                               std::u32string_view b) {
    const auto begin = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
    a.remove_prefix(begin);
    b.remove_prefix(begin);
    while (!a.empty() && !b.empty() && a.back() == b.back()) {
        a.remove_suffix(1);
        b.remove_suffix(1);
    }
    return {a, b};
}

bool has_number(std::u32string_view text) {
    return std::ranges::any_of(text, [](char32_t c) { return digit_value(c).has_value(); });
}

// What two levels have in common that should not be; nullopt if they are different enough.
std::optional<std::string> likeness(const std::string& a, const std::string& b) {
    const std::u32string words_a = folded(a, true), words_b = folded(b, true);
    if (words_a == words_b) return "differ in punctuation alone";
    const auto [in_a, in_b] = difference(words_a, words_b);
    const std::size_t differing = std::max(in_a.size(), in_b.size());
    const std::size_t length = std::max(words_a.size(), words_b.size());
    if (differing * near_share >= length || has_number(in_a) || has_number(in_b))
        return std::nullopt;
    return "differ in " + std::to_string(differing) + " of " + std::to_string(length) +
           " characters";
}

void compare_levels(const std::vector<std::string>& levels, RubricFindings& findings) {
    for (std::size_t i = 0; i < levels.size(); ++i) {
        const std::string name = level_name(i + 1);
        if (folded(levels[i], false).empty()) {
            findings.problems.push_back(name + " is empty");
            continue;
        }
        for (std::size_t j = 0; j < i; ++j) {
            const std::string before = level_name(j + 1);
            if (folded(levels[i], false) == folded(levels[j], false))
                findings.problems.push_back(name + " repeats " + before);
            else if (const auto alike = likeness(levels[i], levels[j]))
                findings.warnings.push_back(before + " and " + name + " " + *alike);
        }
    }
}

}  // namespace

RubricFindings check_rubric(const Rubric& rubric, Mode mode) {
    RubricFindings findings;
    const RubricParts parts = parts_of(rubric);
    if (folded(parts.criteria, false).empty()) findings.problems.emplace_back("no criteria");
    if (parts.levels.empty() && mode == Mode::absolute)
        findings.warnings.emplace_back("no levels, which only pairs can do without");
    if (!parts.levels.empty() && parts.levels.size() < level_count)
        findings.problems.push_back(level_name(parts.levels.size() + 1) + " is missing (\"Score " +
                                    std::to_string(parts.levels.size() + 1) +
                                    ":\" behind the level before it)");
    compare_levels(parts.levels, findings);
    return findings;
}

bool mentions_reference(const Rubric& rubric) {
    return folded(rubric.text, true).find(U"reference answer") != std::u32string::npos;
}

}  // namespace assay
