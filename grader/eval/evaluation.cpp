#include "grader/eval/evaluation.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "grader/eval/published.h"
#include "grader/unicode.h"

namespace assay::eval {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

constexpr std::size_t widest = 110;
constexpr std::string_view gap = "  ";

std::string number(double value, Unit unit) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", unit == Unit::share ? 2 : 3,
                  unit == Unit::share ? 100 * value : value);
    return text;
}

std::string value_text(const std::optional<double>& value, Unit unit) {
    if (!value) return "undefined";
    return number(*value, unit) + (unit == Unit::share ? " %" : "");
}

std::string interval_text(const Figure& figure) {
    const Metric& metric = figure.metric;
    if (!metric.low || !metric.high) return "";
    return number(*metric.low, figure.unit) + " to " + number(*metric.high, figure.unit);
}

// Columns two spaces apart, the first flush left and the others right, behind two spaces.
std::string aligned(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths(rows.front().size());
    for (const Row& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], code_points(row[i]));
    std::string text;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string space(widths[i] - code_points(row[i]), ' ');
            line.append(gap).append(i == 0 ? row[i] + space : space + row[i]);
        }
        line.resize(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string percent(std::size_t part, std::size_t whole) {
    char text[32];
    std::snprintf(
        text, sizeof text, "%.1f %%",
        100 * static_cast<double>(part) / static_cast<double>(std::max<std::size_t>(whole, 1)));
    return text;
}

// A figure of this run with those that papers give of it.
struct Comparison {
    std::string head;
    Figure figure;
    std::vector<PublishedFigure> published;

    const PublishedFigure* of(std::string_view judge) const {
        const auto found = std::ranges::find(published, judge, &PublishedFigure::judge);
        return found == published.end() ? nullptr : &*found;
    }
    std::size_t width() const { return gap.size() + std::max<std::size_t>(head.size(), 14); }
};

// Those of the evaluation's figures that are published; `only`: just the one of that name.
std::vector<Comparison> comparisons(const Evaluation& evaluation, std::string_view only = "") {
    std::vector<Comparison> all;
    const auto published = published_figures(evaluation.benchmark->name);
    for (const Figure& figure : evaluation.figures) {
        if (!only.empty() && figure.metric.name != only) continue;
        Comparison comparison{figure.metric.name, figure, {}};
        std::ranges::copy_if(published, std::back_inserter(comparison.published),
                             [&](const auto& it) { return it.metric == figure.metric.name; });
        if (!comparison.published.empty()) all.push_back(std::move(comparison));
    }
    return all;
}

// The judge of this run above all that papers give figures of.
std::string beside_published(const std::string& judge, std::span<const Comparison> columns) {
    Row head{""}, ours{judge + " (this run)"}, intervals{"  95 % interval"};
    std::vector<std::string_view> others;
    for (const auto& [name, figure, published] : columns) {
        head.push_back(name);
        ours.push_back(value_text(figure.metric.value, figure.unit));
        intervals.push_back(interval_text(figure));
        for (const PublishedFigure& other : published)
            if (std::ranges::find(others, other.judge) == others.end())
                others.push_back(other.judge);
    }
    std::vector<Row> rows{head, ours, intervals};
    for (const std::string_view other : others) {
        rows.push_back({std::string(other)});
        for (const Comparison& column : columns) {
            const PublishedFigure* const published = column.of(other);
            rows.back().push_back(published ? value_text(published->value, column.figure.unit)
                                            : "");
        }
    }
    return aligned(rows);
}

// As many tables as it takes to keep lines short.
std::string tables(const std::string& judge, std::span<const Comparison> columns) {
    constexpr std::size_t judges_width = 28;
    std::string text;
    while (!columns.empty()) {
        std::size_t count = 0;
        for (std::size_t width = judges_width; count < columns.size(); ++count)
            if ((width += columns[count].width()) > widest && count > 0) break;
        text += beside_published(judge, columns.first(count));
        columns = columns.subspan(count);
        if (!columns.empty()) text += "\n";
    }
    return text;
}

std::string doubts_text(const std::vector<std::string_view>& doubts) {
    std::string text;
    for (const std::string_view doubt : doubts) text.append("  * ").append(doubt).append("\n");
    return text;
}

std::string counts_text(const QuestionCounts& counts) {
    std::string text = std::to_string(counts.asked) + " questions";
    if (counts.missing > 0) text += ", " + std::to_string(counts.missing) + " without a record";
    text += ", " + std::to_string(counts.unscored) + " unscored; " + std::to_string(counts.texts) +
            " texts, " + percent(counts.forced, counts.texts) + " with a forced verdict, " +
            std::to_string(counts.redrawn) + " drawn again for want of one";
    if (counts.alike > 0)
        text += "; " + std::to_string(counts.alike) + " pairs scored alike, " +
                std::to_string(counts.at_last) + " of them at last";
    return text;
}

std::string heading(const Evaluation& evaluation) {
    const Benchmark& benchmark = *evaluation.benchmark;
    std::string text = std::string(benchmark.title) + ": " + std::to_string(evaluation.records);
    if (benchmark.records > 0) text += " of " + std::to_string(benchmark.records);
    text += " records";
    if (evaluation.left_out > 0)
        text.append(" (")
            .append(std::to_string(evaluation.left_out))
            .append(" of ")
            .append(benchmark.left_out)
            .append(" left out)");
    for (const Protocol protocol : evaluation.how.protocols)
        text.append(", ")
            .append(name(protocol))
            .append(" (")
            .append(describe(protocol))
            .append(")");
    return text;
}

Json json_of(const QuestionCounts& counts) {
    return {{"questions", counts.asked},
            {"missing", counts.missing},
            {"unscored", counts.unscored},
            {"texts", counts.texts},
            {"forced", counts.forced},
            {"redrawn", counts.redrawn},
            {"pairs_scored_alike", counts.alike},
            {"pairs_scored_alike_at_last", counts.at_last}};
}

Json json_of(const Metric& metric) {
    Json json{{"metric", metric.name}};
    json.update(to_json(metric));
    return json;
}

Json names_of(const std::vector<Protocol>& protocols) {
    Json names = Json::array();
    for (const Protocol protocol : protocols) names.push_back(name(protocol));
    return names;
}

std::vector<std::string_view> quirks_of(const Evaluation& evaluation) {
    if (evaluation.how.repaired) return {};
    return quirks(*evaluation.benchmark);
}

}  // namespace

std::string to_text(const Evaluation& evaluation) {
    std::string text =
        heading(evaluation) + "\n" + gap.data() + counts_text(evaluation.counts) + "\n";
    for (const std::string_view quirk : quirks_of(evaluation))
        text.append("  as published: ").append(quirk).append("\n");
    std::vector<Row> rows{{"figure", "value", "95 % interval", "n"}};
    for (const Figure& figure : evaluation.figures)
        rows.push_back({figure.metric.name, value_text(figure.metric.value, figure.unit),
                        interval_text(figure), std::to_string(figure.metric.n)});
    text += "\n" + aligned(rows);
    const auto published = comparisons(evaluation);
    if (published.empty()) return text;
    return text + "\n" + gap.data() + "Beside published figures\n" +
           tables(evaluation.judge, published) +
           doubts_text(published_doubts(evaluation.benchmark->name));
}

std::string closing_table(std::span<const Evaluation> evaluations) {
    std::vector<Comparison> columns;
    std::vector<std::string_view> doubts;
    for (const Evaluation& evaluation : evaluations) {
        for (Comparison& comparison : comparisons(evaluation, evaluation.benchmark->headline)) {
            comparison.head = std::string(evaluation.benchmark->name) + " " + comparison.head;
            columns.push_back(std::move(comparison));
        }
        for (const std::string_view doubt : published_doubts(evaluation.benchmark->name))
            if (std::ranges::find(doubts, doubt) == doubts.end()) doubts.push_back(doubt);
    }
    if (columns.empty()) return "";
    return "All benchmarks, beside published figures\n" +
           tables(evaluations.front().judge, columns) + doubts_text(doubts);
}

std::string side_by_side(std::span<const Evaluation> evaluations) {
    const std::string headline(evaluations.front().benchmark->headline);
    std::vector<std::string> metrics{headline};
    for (const Comparison& comparison : comparisons(evaluations.front()))
        if (comparison.head != headline) metrics.push_back(comparison.head);
    constexpr std::size_t metrics_a_table = 3;
    std::string text;
    for (std::span<const std::string> rest(metrics); !rest.empty();
         rest = rest.subspan(std::min(rest.size(), metrics_a_table))) {
        std::vector<Row> rows{{""}};
        for (const Evaluation& evaluation : evaluations) rows.push_back({evaluation.judge});
        for (const std::string& metric : rest.first(std::min(rest.size(), metrics_a_table))) {
            rows.front().insert(rows.front().end(), {metric, "95 % interval"});
            for (std::size_t i = 0; i < evaluations.size(); ++i) {
                const Figure* const figure = evaluations[i].find(metric);
                rows[i + 1].push_back(figure ? value_text(figure->metric.value, figure->unit) : "");
                rows[i + 1].push_back(figure ? interval_text(*figure) : "");
            }
        }
        text += (text.empty() ? "" : "\n") + aligned(rows);
    }
    return text;
}

const Figure* Evaluation::find(std::string_view metric) const {
    const auto found = std::ranges::find(
        figures, metric,
        [](const Figure& figure) -> const std::string& { return figure.metric.name; });
    return found == figures.end() ? nullptr : &*found;
}

bool Evaluation::is_whole() const { return bad_records + counts.unscored + counts.missing == 0; }

Json to_json(const Evaluation& evaluation) {
    Json json = to_json(*evaluation.benchmark);
    json["judge"] = evaluation.judge;
    json["data"] = evaluation.data;
    json["records_read"] = evaluation.records;
    json["records_bad"] = evaluation.bad_records;
    json["records_left_out"] = evaluation.left_out;
    json["modes"] = names_of(evaluation.how.protocols);
    json["repaired"] = evaluation.how.repaired;
    json["quirks"] = quirks_of(evaluation);
    json["counts"] = json_of(evaluation.counts);
    Json& figures = json["figures"] = Json::array();
    for (const Figure& figure : evaluation.figures) figures.push_back(json_of(figure.metric));
    Json& published = json["published"] = Json::array();
    for (const auto& [judge, metric, value] : published_figures(evaluation.benchmark->name))
        published.push_back({{"judge", judge}, {"metric", metric}, {"value", value}});
    json["doubts"] = published_doubts(evaluation.benchmark->name);
    return json;
}

Json to_json(const Benchmark& benchmark) {
    return {{"benchmark", benchmark.name},
            {"title", benchmark.title},
            {"file", benchmark.file},
            {"source", benchmark.source},
            {"records", benchmark.records},
            {"headline", benchmark.headline},
            {"modes", names_of(benchmark.protocols())}};
}

}  // namespace assay::eval
