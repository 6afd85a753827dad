#include "bench/kernels/text.h"
#include "bench/kernels/tune.h"

namespace assay::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* row_format = "%-30s %-16s %-26s %11s  %-26s %11s %7s";

Json to_json(const Trial& trial) {
    Json json{{"cut", text(trial.cut)},
              {"samples", trial.time.samples},
              {"median", trial.time.median},
              {"p10", trial.time.p10},
              {"p90", trial.time.p90}};
    if (!trial.fault.empty()) json["fault"] = trial.fault;
    return json;
}

}  // namespace

Json to_json(const TuneReport& report) {
    Json classes = Json::array();
    for (const TunedClass& tuned : report.classes) {
        Json trials = Json::array();
        for (const Trial& trial : tuned.trials) trials.push_back(to_json(trial));
        classes.push_back({{"class", text(tuned.of)},
                           {"format", tuned.format},
                           {"rows", tuned.rows},
                           {"in", tuned.in},
                           {"out", tuned.out},
                           {"usual", text(tuned.trials[0].cut)},
                           {"best", text(tuned.trials[tuned.best].cut)},
                           {"gain", tuned.best > 0 ? tuned.gain() : 1.0},
                           {"trials", trials}});
    }
    return {{"classes", classes}, {"left_out", report.left_out}};
}

std::string table_heading() {
    return format_text(row_format, "work", "measured", "usual", "takes", "best", "takes", "gain") +
           "\n";
}

std::string table_row(const TunedClass& tuned) {
    const Trial &usual = tuned.trials[0], &best = tuned.trials[tuned.best];
    const std::string measured = std::to_string(tuned.rows) + " x " + std::to_string(tuned.in) +
                                 " x " + std::to_string(tuned.out);
    std::string row =
        format_text(row_format, text(tuned.of).c_str(), measured.c_str(), text(usual.cut).c_str(),
                    time_text(usual.time.median).c_str(),
                    tuned.best > 0 ? text(best.cut).c_str() : "the usual",
                    time_text(best.time.median).c_str(),
                    format_text("%.2f x", tuned.best > 0 ? tuned.gain() : 1.0).c_str()) +
        "\n";
    for (const Trial& trial : tuned.trials)
        if (!trial.fault.empty()) row += "  without " + text(trial.cut) + ": " + trial.fault + "\n";
    return row;
}

}  // namespace assay::bench
