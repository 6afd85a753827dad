#include "grader/report/formats.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "grader/report/escape.h"
#include "tests/grader/report/report_files.h"

namespace assay::report {
namespace {

using Json = nlohmann::ordered_json;
using test::sample_run;

GradedItems sample_items() { return read_graded_items(test::data("report/items.jsonl"), {}); }

// Reads RFC 4180 back.
std::vector<std::vector<std::string>> read_csv(const std::string& csv) {
    std::vector<std::vector<std::string>> rows{{""}};
    bool quoted = false;
    for (std::size_t i = 0; i < csv.size(); ++i) {
        std::string& field = rows.back().back();
        if (quoted && csv.substr(i, 2) == "\"\"")
            field += csv[++i];
        else if (csv[i] == '"')
            quoted = !quoted;
        else if (!quoted && csv[i] == ',')
            rows.back().emplace_back();
        else if (!quoted && csv.substr(i, 2) == "\r\n")
            rows.push_back({""}), ++i;
        else
            field += csv[i];
    }
    rows.pop_back();  // after the last line's end
    return rows;
}

std::size_t times(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
    return count;
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
    const std::size_t from = text.find(begin) + begin.size();
    return text.substr(from, text.find(end, from) - from);
}

TEST(ReportFormats, CsvHasARowARecord) {
    const auto run = sample_run();
    const auto table = read_csv(to_csv(run, sample_items()));
    ASSERT_EQ(table.size(), 44u);
    for (const auto& row : table) EXPECT_EQ(row.size(), table[0].size());
    const auto field = [&](std::size_t row, const std::string& column) {
        const auto found = std::ranges::find(table[0], column);
        return table.at(row).at(static_cast<std::size_t>(found - table[0].begin()));
    };
    for (std::size_t i = 0; i < run.results.size(); ++i) {
        EXPECT_EQ(field(i + 1, "id"), run.results[i].id);
        EXPECT_EQ(field(i + 1, "feedback"), run.results[i].text("feedback"));
    }
    EXPECT_EQ(field(1, "score"), "5");
    EXPECT_EQ(field(1, "instruction"), "Why do tides rise twice a day?");
    EXPECT_EQ(field(42, "reason"), "context_exceeded");
}

TEST(ReportFormats, JUnitCountsItsCases) {
    const auto run = sample_run();
    const std::string xml = to_junit(run, "A & B", 3);
    EXPECT_NE(xml.find("<testsuite name=\"A &amp; B\" tests=\"43\" failures=\"8\" errors=\"2\""),
              std::string::npos)
        << xml.substr(0, 300);
    EXPECT_EQ(times(xml, "<testcase "), 43u);
    EXPECT_EQ(times(xml, "<failure "), 8u);
    EXPECT_EQ(times(xml, "<error "), 2u);
    EXPECT_EQ(times(to_junit(run, "all pass", std::nullopt), "<failure "), 0u);
}

TEST(ReportFormats, MarkdownTablesAreWhole) {
    const auto run = sample_run();
    std::istringstream lines(to_markdown(document({&run, 1}, "Title")));
    std::size_t columns = 0, tables = 0;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("|")) {
            columns = 0;
            continue;
        }
        const std::size_t bars = times(line, "|") - times(line, "\\|");
        tables += columns == 0;
        if (columns == 0) columns = bars;
        EXPECT_EQ(bars, columns) << line;
    }
    EXPECT_GT(tables, 10u);
}

TEST(ReportFormats, RowsHoldWhatTheTableShows) {
    const auto run = sample_run();
    const Json json = rows(run, &run, sample_items());
    ASSERT_EQ(json["rows"].size(), 43u);
    const auto field = [&](std::size_t row, const std::string& name) {
        const auto names = json["fields"].get<std::vector<std::string>>();
        const auto place = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
        return place < json["rows"][row].size() ? json["rows"][row][place] : Json();
    };
    EXPECT_EQ(field(0, "verdict"), "5");
    EXPECT_EQ(field(0, "probs").size(), 5u);
    EXPECT_EQ(field(0, "responses").size(), 1u);
    EXPECT_EQ(field(0, "other")["verdict"], "5");
    EXPECT_EQ(field(5, "kinds"), Json({"forced", "differs", "warned"}));
    const Json pair = field(24, "feedback");  // both orders, in terms of the responses as given
    ASSERT_EQ(pair.size(), 2u);
    EXPECT_EQ(pair[0]["verdict"], run.results[24].json["orders"]["ab"]["verdict"]);
    EXPECT_EQ(pair[1]["text"], run.results[24].json["orders"]["ba"]["feedback"]);
    EXPECT_EQ(field(24, "names").size(), 2u);
    EXPECT_EQ(field(41, "verdict"), Json());
    EXPECT_EQ(field(41, "kinds"), Json({"unscored", "warned"}));
    EXPECT_EQ(field(42, "instruction"), Json());
}

TEST(ReportFormats, HtmlHoldsTheDataAsItIs) {
    const auto run = sample_run();
    const Json table = rows(run, nullptr, {});
    const Document made = document({&run, 1}, "</title><script>alert(1)</script> {{rows}}");
    const std::string html = to_html(made, table);
    EXPECT_EQ(times(html, "<script"), 3u);  // the data twice, and the page's own
    EXPECT_EQ(times(html, "</script>"), 3u);
    EXPECT_EQ(times(html, "{{"), 3u);  // of the title alone: in <title>, <h1> and the data
    const std::string begin = "<script type=\"application/json\" id=\"";
    EXPECT_EQ(Json::parse(between(html, begin + "rows\">", "</script>")), table);
    EXPECT_EQ(Json::parse(between(html, begin + "document\">", "</script>")), to_json(made));
}

TEST(ReportFormats, HtmlNamesNoOtherPlace) {
    const auto run = sample_run();
    std::string html = to_html(document({&run, 1}, "Title"), rows(run, nullptr, {}));
    const std::string space = "http://www.w3.org/2000/svg";  // a name; nothing is loaded from it
    while (html.find(space) != html.npos) html.erase(html.find(space), space.size());
    for (const char* place : {"http:", "https:", "//cdn", "src=", "@import", "url("})
        EXPECT_EQ(html.find(place), std::string::npos) << place;
}

}  // namespace
}  // namespace assay::report
