#pragma once
#include <memory>
#include <vector>

#include "grader/cli/session.h"
#include "grader/stopwatch.h"
#include "grader/summary.h"
#include "model/engine/scheduler.h"
#include "runtime/energy.h"

namespace assay::cli {

// Measures a run from its construction: the time, what its scheduler did, and the energy of the
// session's devices where each of them has a meter.
class RunMeter {
public:
    // Both must outlive the meter.
    RunMeter(const Session& session, const Scheduler& scheduler);

    RunFigures read();  // up to now

private:
    const Scheduler& scheduler_;
    Stopwatch watch_;
    std::vector<std::unique_ptr<EnergyMeter>> energy_;  // one for each device, or none
};

}  // namespace assay::cli
