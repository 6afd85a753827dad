#include "grader/report/sections.h"

#include <set>

namespace assay::report {
namespace {

// "name: 41 records of demo-judge (f16), profile hf-card"
std::string source_line(const Run& run) {
    std::set<std::string> judges, profiles;
    for (const Result& result : run.results) {
        const std::string judge(result.text("judge.model")), quant(result.text("judge.quant"));
        if (!judge.empty()) judges.insert(quant.empty() ? judge : judge + " (" + quant + ")");
        if (const auto profile = result.text("profile"); !profile.empty())
            profiles.emplace(profile);
    }
    std::string line = run.name + ": " + std::to_string(run.results.size()) +
                       (run.results.size() == 1 ? " record" : " records");
    const auto append = [&](const char* before, const std::set<std::string>& names) {
        for (const std::string& each : names)
            line += (&each == &*names.begin() ? before : ", ") + each;
    };
    append(" of ", judges);
    append(", profile ", profiles);
    return line;
}

}  // namespace

std::string title_of(const std::string& title, Runs runs, const Run& run) {
    return runs.size() > 1 ? title + " (" + run.name + ")" : title;
}

Document document(Runs runs, const std::string& title) {
    Document made{title, {}, {}};
    for (const Run& run : runs) made.sources.push_back(source_line(run));
    for (const auto section :
         {overview_section, comparison_section, agreement_section, confidence_section,
          position_section, length_section, groups_section, items_section})
        if (Section filled = section(runs); !filled.empty())
            made.sections.push_back(std::move(filled));
    return made;
}

}  // namespace assay::report
