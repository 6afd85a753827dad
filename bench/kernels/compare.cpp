#include "bench/kernels/compare.h"

#include <cmath>
#include <cstdio>

#include "runtime/error.h"

namespace assay::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double least_change = 0.02;

Timing read_timing(const Json& json) {
    return {json.at("samples"), json.at("median"), json.at("p10"), json.at("p90")};
}

// What has become of a case that both runs timed.
struct Row {
    std::string name;
    Comparison cold, warm;
    Earlier::Times before;
    Measured now;
};

std::vector<Row> rows_of(const Report& report, const Earlier& earlier) {
    std::vector<Row> rows;
    for (const Result& result : report.results) {
        const auto before = earlier.cases.find(result.of.name());
        if (!result.timed || before == earlier.cases.end()) continue;
        rows.push_back({before->first, compare(before->second.cold, result.timed->cold),
                        compare(before->second.warm, result.timed->warm), before->second,
                        *result.timed});
    }
    return rows;
}

const char* word(Change change) {
    constexpr const char* words[] = {"", "SLOWER", "faster"};
    return words[static_cast<std::size_t>(change)];
}

// Geometric; 1 if there are none.
double mean_ratio(const std::vector<Row>& rows) {
    double logs = 0;
    for (const Row& row : rows) logs += std::log(row.cold.ratio);
    return rows.empty() ? 1 : std::exp(logs / static_cast<double>(rows.size()));
}

}  // namespace

Earlier::Earlier(const Json& json) {
    try {
        if (json.at("schema") != schema_version)
            throw Error("schema " + json.at("schema").dump() + ", this program reads " +
                        std::to_string(schema_version));
        version = json.at("version");
        date = json.at("date");
        device = json.at("device").at("name");
        driver = json.at("device").at("driver");
        for (const Json& c : json.at("cases"))
            if (c.contains("cold"))
                cases[c.at("case")] = {read_timing(c.at("cold")), read_timing(c.at("warm"))};
    } catch (const nlohmann::json::exception& error) {
        throw Error(std::string("not written by `assay bench kernels --json`: ") + error.what());
    }
}

Comparison compare(const Timing& before, const Timing& now) {
    Comparison comparison;
    comparison.ratio = before.median > 0 ? now.median / before.median : 1;
    if (now.p10 > before.p90 && comparison.ratio > 1 + least_change)
        comparison.change = Change::slower;
    if (now.p90 < before.p10 && comparison.ratio < 1 / (1 + least_change))
        comparison.change = Change::faster;
    return comparison;
}

std::string comparison_text(const Report& report, const Earlier& earlier) {
    const auto rows = rows_of(report, earlier);
    std::string text = "\nAgainst " + earlier.device + ", " + earlier.driver + "; Assay " +
                       earlier.version + ", " + earlier.date + "\n";
    char line[256];
    std::snprintf(line, sizeof line, "%-44s %12s %12s %8s %8s\n", "case", "cold then", "now",
                  "ratio", "warm");
    text += line;
    std::size_t changed[3] = {};
    for (const Row& row : rows) {
        std::snprintf(line, sizeof line, "%-44s %9.3f ms %9.3f ms %8.3f %8.3f  %s\n",
                      row.name.c_str(), row.before.cold.median * 1e3, row.now.cold.median * 1e3,
                      row.cold.ratio, row.warm.ratio, word(row.cold.change));
        text += line;
        ++changed[static_cast<std::size_t>(row.cold.change)];
    }
    std::snprintf(
        line, sizeof line,
        "%zu cases in both runs: %zu slower, %zu faster beyond noise, %zu alike; mean ratio %.3f\n",
        rows.size(), changed[1], changed[2], changed[0], mean_ratio(rows));
    return text + line;
}

Json comparison_json(const Report& report, const Earlier& earlier) {
    Json cases = Json::array();
    constexpr const char* changes[] = {"within noise", "slower", "faster"};
    for (const Row& row : rows_of(report, earlier))
        cases.push_back({{"case", row.name},
                         {"cold_ratio", row.cold.ratio},
                         {"cold", changes[static_cast<std::size_t>(row.cold.change)]},
                         {"warm_ratio", row.warm.ratio},
                         {"warm", changes[static_cast<std::size_t>(row.warm.change)]}});
    return {{"device", earlier.device},
            {"driver", earlier.driver},
            {"version", earlier.version},
            {"date", earlier.date},
            {"cases", cases}};
}

}  // namespace assay::bench
