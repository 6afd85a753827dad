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
    std::function<void(const Result&)> on_result;
};

// Runs the cases one after another. What the device has no memory for is left out and said so.
// report: what of it the caller knows: version, date and selection.
Report run(Device& device, const Selection& selection, const RunOptions& options, Report report,
           const Listener& listener);

}  // namespace assay::bench
