#include <algorithm>
#include <cstdio>

#include "bench/kernels/results.h"
#include "bench/kernels/roofline.h"
#include "grader/report/escape.h"

namespace assay::bench {
namespace {

using report::escape_markup;

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2128; --quiet: #57606a; --line: #d4d9df;
  --s0: #2563c9; --s1: #b4540a; --s2: #0f7b5f; --s3: #6b7480; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #14171c; --card: #1d2229; --text: #e4e8ee; --quiet: #a2acb8; --line: #38404b;
  --s0: #6ea5ff; --s1: #f0a15c; --s2: #4cc9a4; --s3: #98a3b0; --bad: #ff8f87; } }
body { margin: 0 auto; max-width: 1240px; padding: 20px 16px; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 8px; } h2 { font-size: 20px; margin: 32px 0 8px; }
p { margin: 0 0 4px; color: var(--quiet); max-width: 100ch; } .bad { color: var(--bad); font-weight: 600; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px; margin-top: 12px; }
svg { display: block; width: 100%; height: auto; font-size: 13px; } svg text { fill: var(--quiet); } svg .roof-name { fill: var(--text); }
.grid { stroke: var(--line); } .roof { stroke: var(--text); stroke-width: 1.6; }
circle { fill-opacity: .6; stroke: var(--card); } circle:hover { fill-opacity: 1; stroke: var(--text); }
.s0 { fill: var(--s0); } .s1 { fill: var(--s1); } .s2 { fill: var(--s2); } .s3 { fill: var(--s3); } .wrong { fill: var(--bad); }
ul { display: flex; flex-wrap: wrap; gap: 2px 16px; list-style: none; padding: 0; margin: 0 0 8px; color: var(--quiet); }
li svg { display: inline-block; width: 11px; height: 11px; margin-right: 5px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--line); white-space: nowrap; font-variant-numeric: tabular-nums; }
th { font-weight: 600; } th:first-child, td:first-child, th:last-child, td:last-child { text-align: left; }
)";

std::string paragraph(const std::string& text, const char* of = "") {
    return "<p class=\"" + std::string(of) + "\">" + escape_markup(text) + "</p>\n";
}

std::string legend() {
    std::string html = "<ul>\n";
    for (std::size_t group = 0; group < std::size(plot_groups); ++group)
        html += "<li><svg viewBox=\"0 0 10 10\"><circle class=\"s" + std::to_string(group) +
                "\" cx=\"5\" cy=\"5\" r=\"4.5\"/></svg>" + std::string(plot_groups[group]) +
                "</li>\n";
    return html + "</ul>\n";
}

std::string table(const Report& report) {
    std::string html = "<div class=\"scroll\"><table>\n<thead><tr>";
    for (const std::string& name : table_columns(report))
        html += "<th>" + escape_markup(name) + "</th>";
    html += "</tr></thead>\n<tbody>\n";
    for (const Result& result : report.results) {
        html += result.correct() ? "<tr>" : "<tr class=\"bad\">";
        for (const std::string& cell : table_cells(report, result))
            html += "<td>" + escape_markup(cell) + "</td>";
        html += "</tr>\n";
    }
    return html + "</tbody>\n</table></div>\n";
}

}  // namespace

std::string to_html(const Report& report) {
    const std::string title = "Kernels on " + report.device.name;
    std::string html =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
        "'unsafe-inline'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
        escape_markup(title) + "</title>\n<style>" + std::string(style) +
        "</style>\n</head>\n<body>\n<h1>" + escape_markup(title) + "</h1>\n";
    if (report.device.is_cpu) html += paragraph(std::string(cpu_banner), "bad");
    for (const std::string& line : head_lines(report)) html += paragraph(line);
    if (!report.correct()) html += paragraph(closing(report), "bad");
    if (const std::string plot = roofline_svg(report); !plot.empty())
        html += "<h2>Roofline</h2>\n<div class=\"card\">\n" + legend() + plot +
                "</div>\n<p>Cold medians. Names are in the tooltips; operations that only move "
                "data are in the "
                "table alone.</p>\n";
    html += "<h2>Cases</h2>\n" + table(report);
    for (const Omitted& omitted : report.omitted)
        html += paragraph("Left out: " + omitted.name + ": " + omitted.why);
    return html + "</body>\n</html>\n";
}

}  // namespace assay::bench
