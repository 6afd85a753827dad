#include "grader/cli/run_meter.h"

#include <set>
#include <utility>

namespace assay::cli {

RunMeter::RunMeter(const Session& session, const Scheduler& scheduler) : scheduler_(scheduler) {
    std::set<std::uint32_t> seen;  // a device that is named twice uses its energy once
    for (const auto& device : session.devices()) {
        if (!seen.insert(device->info().index).second) continue;
        auto source = find_energy_source(device->info());
        if (!source) {
            energy_.clear();
            break;
        }
        energy_.push_back(std::make_unique<EnergyMeter>(*std::move(source)));
    }
    watch_.restart();
}

RunFigures RunMeter::read() {
    const SchedulerStats& stats = scheduler_.stats();
    RunFigures figures{.seconds = watch_.seconds(),
                       .preemptions = stats.preemptions,
                       .guessed_tokens = stats.guessed_tokens,
                       .accepted_tokens = stats.accepted_tokens};
    double joules = 0;
    for (const auto& meter : energy_) {
        const auto used = meter->joules();
        if (!used) return figures;
        joules += *used;
    }
    if (energy_.empty()) return figures;
    figures.joules = joules;
    figures.energy_source = energy_.front()->source();
    return figures;
}

}  // namespace assay::cli
