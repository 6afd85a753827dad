#pragma once
#include <functional>
#include <string>
#include <vector>

#include "bench/kernels/results.h"
#include "bench/kernels/selection.h"

namespace assay::bench {

struct RunOptions {
    Paths paths;
    MeasureOptions measure;
    bool check_only = false;  // compare the answers and time nothing
    bool quick = false;
};

// What is told while a run goes on.
struct Listener {
    std::function<void(const Report&)> on_begin;  // the device and its roofs are known
    std::function<void(const Case&, std::size_t number)> on_case;  // is run next
    std::function<void(const Report&, const Result&)> on_result;
};

// What runs a case.
struct CaseRunner {
    std::function<Result(const Case&)> run;  // throws an Error if it can't
    std::function<std::string()> lost;       // why the device works no more; empty: it does
};

// Adds to the report what comes of the cases, one after another: results, those left out and, where
// the device is lost, why it ends there.
void run_cases(const Selection& selection, const CaseRunner& runner, const Listener& listener,
               Report& report);

// Measures the roofs and runs the cases. What the device has no memory for is left out and said so.
// report: what of it the caller knows: version, date and selection.
Report run(Device& device, const Selection& selection, const RunOptions& options, Report report,
           const Listener& listener);

}  // namespace assay::bench
