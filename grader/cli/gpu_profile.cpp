#include "grader/cli/gpu_profile.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "runtime/copy_rate.h"
#include "runtime/error.h"
#include "runtime/profile.h"

namespace assay::cli {

GpuProfile::GpuProfile(bool wanted, std::string trace) : wanted_(wanted), trace_(std::move(trace)) {
    if (trace_.empty()) return;
    file_.open(trace_, std::ios::binary);
    if (!file_) throw Error(trace_ + ": " + std::strerror(errno));
}

void GpuProfile::print(Session& session) {
    if (!wanted_) return;
    std::vector<std::vector<ProfileEvent>> devices;
    for (std::size_t i = 0; i < session.devices().size(); ++i) {
        Device& device = *session.devices()[i];
        const auto& events = session.engine().stream(i).profile();
        if (session.devices().size() > 1)
            std::fprintf(stderr, "%s, device %zu of %zu:\n", device.info().name.c_str(), i + 1,
                         session.devices().size());
        std::fputs(profile_table(events, measure_copy_rate(device)).c_str(), stderr);
        devices.push_back(events);
    }
    if (const ExpertUse use = session.engine().expert_use(); use.hits + use.misses > 0)
        std::fprintf(
            stderr, "experts: %.1f %% of %llu were on the device\n",
            100.0 * static_cast<double>(use.hits) / static_cast<double>(use.hits + use.misses),
            static_cast<unsigned long long>(use.hits + use.misses));
    if (trace_.empty()) return;
    file_ << chrome_trace(devices) << std::flush;
    if (!file_) throw Error(trace_ + ": " + std::strerror(errno));
}

}  // namespace assay::cli
