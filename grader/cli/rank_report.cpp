#include "grader/cli/rank_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "grader/cli/terminal.h"
#include "grader/unicode.h"

namespace assay::cli {
namespace {

// Of many items the table of generators says more.
constexpr std::size_t most_items_shown = 20;

std::string text(const char* format, auto... values) {
    char line[256];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

std::string count(std::size_t number, const char* noun) {
    return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

// Never "-0.00".
std::string number_text(double value, int decimals) {
    const double unit = std::pow(10, decimals);
    return text("%.*f", decimals, std::round(value * unit) / unit + 0.0);
}

// "[0.81, 2.40]"
std::string interval_text(const std::optional<Interval>& interval, int decimals) {
    if (!interval) return "-";
    return "[" + number_text(interval->low, decimals) + ", " +
           number_text(interval->high, decimals) + "]";
}

// The text, then spaces up to the width.
std::string padded(std::string value, std::size_t width) {
    const std::size_t columns = code_points(value);
    if (columns < width) value.append(width - columns, ' ');
    return value;
}

std::string name_of(const Contestant& contestant, std::size_t index) {
    const std::string number = std::to_string(index + 1);
    return contestant.generator.empty() ? number
                                        : harmless(contestant.generator) + " (" + number + ")";
}

std::string text_of(const Contest& contest, const Standing& standing) {
    std::string lines = harmless(contest.question.id.text) + ": " +
                        count(contest.contestants.size(), "response") + ", " +
                        count(standing.games.size(), "comparison");
    if (standing.unjudged > 0) lines += ", " + std::to_string(standing.unjudged) + " unscored";
    if (standing.triples.circular > 0)
        lines += text(", %zu of %zu triples in a circle", standing.triples.circular,
                      standing.triples.all);
    lines += "\n";
    std::size_t width = 8;
    for (std::size_t i = 0; i < contest.contestants.size(); ++i)
        width = std::max(width, code_points(name_of(contest.contestants[i], i)));
    std::size_t rank = 0;
    for (const std::size_t i : standing.order) {
        const Rating& rating = standing.ratings[i];
        lines += text("%4zu  ", ++rank) + padded(name_of(contest.contestants[i], i), width) +
                 text("  %6s  %-15s  %.2f of %zu\n", number_text(rating.strength, 2).c_str(),
                      interval_text(rating.interval, 2).c_str(), rating.wins, rating.games);
    }
    return lines;
}

std::string text_of(const Arena& arena) {
    std::size_t width = 9;
    for (const std::string& generator : arena.generators)
        width = std::max(width, code_points(harmless(generator)));
    std::string lines = "rank  " + padded("generator", width) +
                        "   Elo  95 %           win rate  at one length  comparisons\n";
    std::size_t rank = 0;
    for (const std::size_t i : arena.order) {
        const Rating& rating = arena.ratings[i];
        const auto controlled = arena.length_controlled[i];
        lines += text("%4zu  ", ++rank) + padded(harmless(arena.generators[i]), width) +
                 text("  %4.0f  %-13s  %6.1f %%  %11s  %11zu\n", elo(rating.strength),
                      interval_text(elo(rating.interval), 0).c_str(),
                      100 * rating.wins / static_cast<double>(rating.games),
                      controlled ? text("%.1f %%", 100 * *controlled).c_str() : "-", rating.games);
    }
    return lines;
}

}  // namespace

std::string text_of(const Ranking& ranking) {
    std::string lines;
    const bool arena = ranking.arena.generators.size() > 1;
    if (!arena || ranking.contests.size() <= most_items_shown)
        for (std::size_t i = 0; i < ranking.contests.size(); ++i)
            lines += text_of(ranking.contests[i], ranking.standings[i]);
    else
        lines += count(ranking.contests.size(), "item") + "; --json has the ranking of each\n";
    if (arena) lines += text_of(ranking.arena);
    return lines;
}

}  // namespace assay::cli
