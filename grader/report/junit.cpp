#include <sstream>

#include "grader/report/escape.h"
#include "grader/report/formats.h"

namespace assay::report {
namespace {

struct Case {
    const Result& result;
    bool failed;
};

std::string attribute(const char* name, std::string_view value) {
    return std::string(" ") + name + "=\"" + escape_markup(value) + '"';
}

std::string number(double value) {
    std::ostringstream text;
    text << value;
    return text.str();
}

std::string outcome(const Case& test, std::optional<double> pass_score) {
    const Result& result = test.result;
    if (!result.scored())
        return "<error" + attribute("type", result.text("reason")) +
               attribute("message", result.text("error")) + "/>";
    if (!test.failed) return "";
    return "<failure" + attribute("type", "score") +
           attribute("message", std::string("score ") + result.facts.verdict + ", " +
                                    number(*pass_score) + " wanted") +
           ">" + escape_markup(result.text("feedback")) + "</failure>";
}

// Each metric by its name, its interval as NAME.low and NAME.high.
std::string properties(std::span<const Metric> metrics) {
    std::string xml;
    const auto add = [&](const std::string& name, const std::optional<double>& value) {
        if (value)
            xml +=
                "<property" + attribute("name", name) + attribute("value", number(*value)) + "/>\n";
    };
    for (const Metric& metric : metrics) {
        add(metric.name, metric.value);
        add(metric.name + ".low", metric.low);
        add(metric.name + ".high", metric.high);
    }
    return xml.empty() ? "" : "<properties>\n" + xml + "</properties>\n";
}

}  // namespace

std::string to_junit(const Run& run, const std::string& title, std::optional<double> pass_score) {
    std::vector<Case> cases;
    std::size_t failures = 0, errors = 0;
    double seconds = 0;
    for (const Result& result : run.results) {
        const bool is_score = result.scored() && result.mode == Mode::absolute;
        cases.push_back(
            {result, is_score && pass_score && result.facts.verdict - '0' < *pass_score});
        failures += cases.back().failed;
        errors += !result.scored();
        seconds += milliseconds(result).value_or(0) / 1000;
    }
    const std::string counts = attribute("tests", std::to_string(cases.size())) +
                               attribute("failures", std::to_string(failures)) +
                               attribute("errors", std::to_string(errors)) +
                               attribute("time", number(seconds));
    std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + counts +
                      ">\n<testsuite" + attribute("name", title) + counts + ">\n";
    xml += properties(run.scores.metrics);
    for (const Case& test : cases) {
        const std::string group = test.result.group.empty() ? run.name : test.result.group;
        xml += "<testcase" + attribute("classname", group) + attribute("name", test.result.id) +
               attribute("time", number(milliseconds(test.result).value_or(0) / 1000));
        const std::string inside = outcome(test, pass_score);
        xml += inside.empty() ? "/>\n" : ">" + inside + "</testcase>\n";
    }
    return xml + "</testsuite>\n</testsuites>\n";
}

}  // namespace assay::report
