#include "grader/cli/drift_report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "grader/cli/options.h"
#include "grader/cli/terminal.h"
#include "model/memory_plan.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t items_shown = 5;  // of those that are unscored, or changed most

std::string text(const char* format, auto... values) {
    char line[200];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

std::uint64_t size_of(const DriftingJudge& judge) {
    std::uint64_t sum = 0;
    for (const auto& [format, bytes] : judge.bytes) sum += bytes;
    return sum;
}

// "q8_0 3.9 MB, f32 9.2 kB; KV cache f16", the most first.
std::string formats_text(const DriftingJudge& judge) {
    std::vector<std::pair<std::uint64_t, Format>> formats;
    for (const auto& [format, bytes] : judge.bytes) formats.emplace_back(bytes, format);
    std::ranges::sort(formats, std::greater());
    std::string mix;
    for (const auto& [bytes, format] : formats)
        mix += (mix.empty() ? "" : ", ") + std::string(info(format).name) + " " + bytes_text(bytes);
    return mix + "; KV cache " + std::string(info(judge.kv).name) +
           (judge.int8_activations ? "; activations int8" : "");
}

std::string of(std::size_t some, std::size_t all) {
    return std::to_string(some) + " of " + std::to_string(all);
}

// "4 (0.610)": the verdict and how likely the judge held it.
std::string verdict_text(const Grade& grade) {
    return text("%c (%.3f)", grade.verdict.symbol, grade.distribution.of(grade.verdict));
}

std::string own_text(const Record& own) {
    if (const auto* grade = std::get_if<Grade>(&own.result)) return verdict_text(*grade);
    return "unscored: " + std::get<Unscored>(own.result).reason;
}

const Drift::Verdicts& verdicts_of(const Drift& drift, Mode mode) {
    return drift.verdicts[static_cast<std::size_t>(mode)];
}

std::string table_row(const TestedJudge& test) {
    const Drift& d = test.drift;
    const auto &absolute = verdicts_of(d, Mode::absolute),
               &relative = verdicts_of(d, Mode::relative);
    const std::string error =
        d.expected_score_error ? text("%.1e", *d.expected_score_error) : std::string("-");
    return text("%-28s %9s %5s %8.2f%% %8.3f %9.1e %9.1e %10.1e %9s  %s\n",
                (harmless(test.judge.name) + (test.judge.int8_activations ? "@int8" : "")).c_str(),
                bytes_text(size_of(test.judge)).c_str(),
                std::string(info(test.judge.kv).name).c_str(), 100 * d.token_agreement,
                d.perplexity, d.mean_divergence, d.median_divergence, d.verdict_divergence,
                error.c_str(),
                of(absolute.flips + relative.flips, absolute.items + relative.items).c_str());
}

std::string changes_text(const Drift& drift) {
    std::string line;
    for (const auto& [change, items] : drift.score_changes)
        line += (line.empty() ? "  scores: " : ", ") + text(change ? "%+d" : "%d", change) +
                " in " + std::to_string(items);
    if (const auto& relative = verdicts_of(drift, Mode::relative); relative.items > 0)
        line += (line.empty() ? "  pairs: " : "; pairs: ") +
                text("A to B in %zu, B to A in %zu", drift.a_to_b, drift.b_to_a);
    if (drift.unscored > 0)
        line += (line.empty() ? "  " : "; ") + std::to_string(drift.unscored) + " unscored";
    return line + "\n";
}

std::string details(const DriftReport& report, const TestedJudge& test) {
    std::string lines = harmless(test.judge.name) + ": " + formats_text(test.judge) + "\n" +
                        changes_text(test.drift);
    for (std::size_t i : worst_items(report.items, test.drifts, items_shown)) {
        const ReferenceItem& item = report.items[i];
        lines += "  item " + harmless(item.item.id.text) + ": " + verdict_text(item.grade) +
                 " -> " + own_text(test.drifts[i].own) +
                 text(", verdict KL %.1e", test.drifts[i].verdict_divergence(item)) + "\n";
    }
    return lines;
}

std::string unscored_lines(const std::vector<Record>& records) {
    std::string lines;
    for (std::size_t i = 0; i < std::min(records.size(), items_shown); ++i)
        lines += "           item " + harmless(records[i].id.text) + ": " +
                 harmless(std::get<Unscored>(records[i].result).error) + "\n";
    return lines;
}

Json to_json(const DriftingJudge& judge) {
    Json formats = Json::object();
    for (const auto& [format, bytes] : judge.bytes) formats[std::string(info(format).name)] = bytes;
    return {{"model", judge.name},
            {"kv", info(judge.kv).name},
            {"activations", activations_name(judge.int8_activations)},
            {"bytes", size_of(judge)},
            {"bytes_by_format", formats}};
}

Json to_json(const Grade& grade) {
    return {{"verdict", std::string(1, grade.verdict.symbol)},
            {"probability", grade.distribution.of(grade.verdict)},
            {"probabilities", grade.distribution.probabilities}};
}

Json to_json(const Unscored& unscored) {
    return {{"verdict", nullptr}, {"reason", unscored.reason}, {"error", unscored.error}};
}

Json to_json(const ReferenceItem& reference, const ItemDrift& drift) {
    double sum = 0;
    for (double divergence : drift.divergences) sum += divergence;
    const auto positions = static_cast<double>(drift.divergences.size());
    return {{"id", assay::to_json(reference.item.id)},
            {"mode", name(reference.item.mode)},
            {"reference", to_json(reference.grade)},
            {"test", std::visit([](const auto& own) { return to_json(own); }, drift.own.result)},
            {"flipped", drift.flipped(reference)},
            {"tokens", drift.divergences.size()},
            {"token_agreement", static_cast<double>(drift.agreements) / positions},
            {"kl_mean", sum / positions},
            {"verdict_kl", drift.verdict_divergence(reference)}};
}

Json to_json(const DriftReport& report, const TestedJudge& test) {
    const Drift& d = test.drift;
    Json changes = Json::object();
    for (const auto& [change, items] : d.score_changes) changes[std::to_string(change)] = items;
    const auto &absolute = verdicts_of(d, Mode::absolute),
               &relative = verdicts_of(d, Mode::relative);
    Json json = to_json(test.judge);
    json["token_agreement"] = d.token_agreement;
    json["perplexity"] = d.perplexity;
    json["kl_mean"] = d.mean_divergence;
    json["kl_median"] = d.median_divergence;
    json["verdict_kl"] = d.verdict_divergence;
    json["expected_score_mae"] = d.expected_score_error ? Json(*d.expected_score_error) : Json();
    json["unscored"] = d.unscored;
    json["flips"] = absolute.flips + relative.flips;
    json["absolute"] = {
        {"items", absolute.items}, {"flips", absolute.flips}, {"score_changes", changes}};
    json["relative"] = {{"items", relative.items},
                        {"flips", relative.flips},
                        {"a_to_b", d.a_to_b},
                        {"b_to_a", d.b_to_a}};
    Json& items = json["items"] = Json::array();
    for (std::size_t i = 0; i < report.items.size(); ++i)
        items.push_back(to_json(report.items[i], test.drifts[i]));
    return json;
}

}  // namespace

std::string drift_table(const DriftReport& report) {
    const Drift& any = report.tests.front().drift;  // of the reference, all say the same
    const auto absolute = static_cast<std::size_t>(std::ranges::count(
        report.items, Mode::absolute, [](const ReferenceItem& r) { return r.item.mode; }));
    std::string table =
        "reference  " + harmless(report.reference.name) + ": " + formats_text(report.reference) +
        "\n" +
        text("items      %zu absolute, %zu relative, %zu unscored\n", absolute,
             report.items.size() - absolute, report.unscored.size()) +
        unscored_lines(report.unscored) +
        text("its texts  %zu tokens, perplexity %.3f\n\n", any.positions,
             any.reference_perplexity) +
        text("%-28s %9s %5s %9s %8s %9s %9s %10s %9s  %s\n", "test", "weights", "KV", "agree",
             "perplex.", "KL mean", "median", "verdict KL", "score MAE", "flips");
    for (const TestedJudge& test : report.tests) table += table_row(test);
    for (const TestedJudge& test : report.tests) table += "\n" + details(report, test);
    return table;
}

Json to_json(const DriftReport& report) {
    const Drift& any = report.tests.front().drift;
    Json json{{"reference", to_json(report.reference)}, {"tests", Json::array()}};
    json["reference"]["items"] = report.items.size();
    json["reference"]["tokens"] = any.positions;
    json["reference"]["perplexity"] = any.reference_perplexity;
    Json& unscored = json["reference"]["unscored"] = Json::array();
    for (const Record& record : report.unscored) {
        const auto& why = std::get<Unscored>(record.result);
        unscored.push_back(
            {{"id", assay::to_json(record.id)}, {"reason", why.reason}, {"error", why.error}});
    }
    for (const TestedJudge& test : report.tests) json["tests"].push_back(to_json(report, test));
    return json;
}

}  // namespace assay::cli
