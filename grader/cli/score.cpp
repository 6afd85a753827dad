#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grader/cli/bound_options.h"
#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/terminal.h"
#include "grader/scoring.h"
#include "grader/verdict.h"
#include "grader/verdict_counts.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_resamples = 1'000'000, ids_shown = 10;

struct Options {
    std::string results, with;
    ScoringOptions scoring;
    Bounds bounds;
    bool json = false;

    bool compares_with_labels() const {
        return with.empty() && scoring.column.empty() && scoring.against.empty();
    }
};

struct Report {
    VerdictCounts counts;
    std::pair<std::string, std::string> contestants;
    Scores scores;
};

std::string text(const char* format, auto... values) {
    char line[200];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

std::string number(std::optional<double> value) {
    return value ? text("%.3f", *value) : std::string("-");
}

std::string metric_line(const Metric& metric) {
    const std::string interval =
        metric.low ? number(metric.low) + " to " + number(metric.high) : std::string("-");
    return text("%-30s %8s   %-18s %7zu\n", metric.name.c_str(), number(metric.value).c_str(),
                interval.c_str(), metric.n);
}

// Labels in rows, verdicts in columns; empty without labels.
std::string confusion_table(const VerdictCounts& counts, Mode mode) {
    const std::string verdicts(legal_verdicts(mode));
    std::string table = "\nlabel \\ verdict", rows;
    for (const char verdict : verdicts) table += text("%8c", verdict);
    for (const char label : mode == Mode::relative ? verdicts + "=" : verdicts) {
        std::size_t items = 0;
        std::string row = text("\n%-15s", symbol_name(label).c_str());
        for (const char verdict : verdicts) {
            const auto found = counts.confusion.find({label, verdict});
            const std::size_t count = found == counts.confusion.end() ? 0 : found->second;
            row += text("%8zu", count);
            items += count;
        }
        if (items > 0) rows += row;
    }
    return rows.empty() ? "" : table + rows + "\n";
}

// One line a group, with the figures that are averaged over groups, and consistency.
std::string group_table(const Scores& scores) {
    if (scores.groups.empty()) return "";
    std::vector<std::string> names;
    for (const Metric& metric : scores.metrics)
        if (metric.name.ends_with("_macro"))
            names.push_back(metric.name.substr(0, metric.name.size() - 6));
    if (find_metric(scores.metrics, "consistency")) names.push_back("consistency");
    std::string table = text("\n%-30s", "group");
    for (const std::string& name : names) table += text("  %s %6s", name.c_str(), "n");
    for (const auto& [group, metrics] : scores.groups) {
        table += "\n" + text("%-30s", harmless(group).c_str());
        for (const std::string& name : names) {
            const Metric* metric = find_metric(metrics, name);
            table +=
                text("  %*s %6zu", static_cast<int>(name.size()),
                     number(metric ? metric->value : std::nullopt).c_str(), metric ? metric->n : 0);
        }
    }
    return table + "\n";
}

std::string inconsistent_line(const std::vector<std::string>& ids) {
    if (ids.empty()) return "";
    std::string line = "\nanother verdict in the other order: ";
    for (std::size_t i = 0; i < std::min(ids.size(), ids_shown); ++i)
        line += (i > 0 ? ", " : "") + harmless(ids[i]);
    if (ids.size() > ids_shown) line += " and " + std::to_string(ids.size() - ids_shown) + " more";
    return line + "\n";
}

std::string table(const Options& options, const Report& report) {
    std::string lines = std::to_string(report.counts.scored) + " scored, " +
                        std::to_string(report.counts.unscored) + " unscored";
    if (!options.compares_with_labels())
        lines += ", " + std::to_string(report.scores.compared) + " compared" +
                 (options.with.empty() ? "" : " with " + options.with);
    lines += "\n\n" + text("%-30s %8s   %-18s %7s\n", "", "value", "95 % interval", "n");
    for (const Metric& metric : report.scores.metrics) lines += metric_line(metric);
    if (find_metric(report.scores.metrics, "win_rate"))
        lines += "win rates are those of " + harmless(report.contestants.first) + " over " +
                 harmless(report.contestants.second) + "\n";
    return lines + confusion_table(report.counts, Mode::absolute) +
           confusion_table(report.counts, Mode::relative) + group_table(report.scores) +
           inconsistent_line(report.counts.inconsistent);
}

Json to_json(const std::map<char, std::size_t>& counts) {
    Json json = Json::object();
    for (const auto& [symbol, count] : counts) json[symbol_name(symbol)] = count;
    return json;
}

Json to_json(const Options& options, const Report& report) {
    const VerdictCounts& counts = report.counts;
    Json json{{"results", options.results},
              {"with", options.with.empty() ? Json() : Json(options.with)},
              {"column", options.scoring.column.empty() ? Json() : Json(options.scoring.column)},
              {"against", options.scoring.against.empty() ? Json() : Json(options.scoring.against)},
              {"scored", counts.scored},
              {"unscored", counts.unscored},
              {"compared", report.scores.compared},
              {"metrics", assay::to_json(report.scores.metrics)}};
    Json& groups = json["groups"] = Json::object();
    for (const auto& [group, metrics] : report.scores.groups)
        groups[group] = assay::to_json(metrics);
    json["win_rates_of"] = {report.contestants.first, report.contestants.second};
    json["verdicts"] = to_json(counts.verdicts);
    json["labels"] = to_json(counts.labels);
    Json& confusion = json["confusion"] = Json::object();
    for (const auto& [pair, count] : counts.confusion)
        confusion[symbol_name(pair.first)][symbol_name(pair.second)] = count;
    json["inconsistent"] = counts.inconsistent;
    return json;
}

int run(const Options& options) {
    const std::vector<Result> results = read_results(options.results);
    if (results.empty()) throw Error("no records in " + options.results);
    std::vector<Result> others;
    if (!options.with.empty()) others = read_results(options.with);
    if (options.scoring.column.empty()) {
        require_verdicts(results, options.results);
        require_verdicts(others, options.with);
    }
    Report report{
        .counts = count_verdicts(results),
        .contestants = contestants(results),
        .scores = score(results, options.scoring,
                        options.with.empty() ? std::nullopt : std::optional(std::span(others)))};
    if (!options.compares_with_labels()) {
        report.counts.labels.clear();
        report.counts.confusion.clear();
    }
    const std::string shown =
        options.json
            ? to_json(options, report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
            : table(options, report);
    std::fputs(shown.c_str(), stdout);
    require(options.bounds, report.scores.metrics);
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("results", options->results,
                    "Records of assay grade, or any JSON lines; - is standard input")
        ->required()
        ->type_name("RESULTS");
    const auto column = [&](const char* flag, std::string& name, const char* help) {
        return command.add_option(flag, name, help)->type_name("COLUMN");
    };
    column("--column", options->scoring.column,
           "What is scored, instead of the judge's verdict: expected_score, calibrated.score, p_a");
    column("--against", options->scoring.against,
           "What it is compared with (default: label): label.human, score");
    column("--by", options->scoring.by, "Also by the values of this column: group");
    command
        .add_option("--with", options->with,
                    "Compare with this file, by id: another judge, or another format of it. Then "
                    "--against is a column of it (default: the same)")
        ->type_name("FILE");
    command
        .add_option("--resamples", options->scoring.bootstrap.resamples,
                    "Of the bootstrap (default 2000; fewer of more than 2,000 items); 0: no "
                    "intervals")
        ->check(integer_between(0, most_resamples))
        ->type_name("NUMBER");
    command.add_option("--seed", options->scoring.bootstrap.seed, "Of the bootstrap (default 0)")
        ->check(integer_between(0, std::numeric_limits<std::uint64_t>::max()))
        ->type_name("NUMBER");
    add_bound_options(command, options->bounds);
    add_json_flag(command, options->json);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command score_command;
const Command score_command{
    .name = "score",
    .summary = "Tell how good graded results are",
    .description =
        "Compares the judge's verdicts with the items' labels: correlations of scores, agreement, "
        "calibration, and of pairs also accuracy; and tells what needs no label: consistency in "
        "both orders, preference for a place or for length, agreement of samples, forced and "
        "unscored shares. With --column, --against and --with it compares any two columns of "
        "numbers or words; a column is a field of a record, or a path such as orders.ab.p_a. "
        "Intervals are 95 % of a bootstrap over items. Unscored items count in unscored_share "
        "alone.\n"
        "In JSON: scored, unscored, compared, metrics: {NAME: {value, low, high, n}}, groups: "
        "{GROUP: "
        "{NAME: ...}}, win_rates_of, verdicts, labels, confusion: {LABEL: {VERDICT: count}}, "
        "inconsistent: [id]; a figure that is not defined is null. docs/statistics.md says how "
        "each is computed.",
    .example =
        "assay score grades.jsonl --by group --fail-under pearson=0.6 --fail-unscored=0.01\n"
        "  assay score absolute.jsonl --column expected_score --with other-judge.jsonl",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
