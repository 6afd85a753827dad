#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "grader/report/document.h"
#include "grader/report/rows.h"
#include "grader/report/run.h"

namespace assay::report {

// One HTML file that needs nothing else: styles, script and records are in it.
std::string to_html(const Document& document, const nlohmann::ordered_json& rows);

// Figures, charts and tables for a pull request. Charts of points are left out.
std::string to_markdown(const Document& document);

// RFC 4180: a header and one row a record. With items, their texts are the last columns.
std::string to_csv(const Run& run, const GradedItems& items);

// A test case a record. An unscored one is an error, a score below `pass_score` a failure.
std::string to_junit(const Run& run, const std::string& title, std::optional<double> pass_score);

}  // namespace assay::report
