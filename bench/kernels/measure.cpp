#include "bench/kernels/measure.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "runtime/error.h"

namespace assay::bench {
namespace {

constexpr std::uint64_t mebibyte = 1 << 20;

// Of the largest cache of the machine's CPU in bytes; 0 if it does not say.
std::uint64_t last_level_cache() {
    std::uint64_t kibibytes = 0;
    for (int level = 0; level < 8; ++level) {
        std::ifstream in("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(level) +
                         "/size");
        if (std::uint64_t size = 0; in >> size) kibibytes = std::max(kibibytes, size);
    }
    return kibibytes * 1024;
}

constexpr std::string_view mark = "nothing";  // the kernel on either side of a sample

// The dispatches of each sample, which lie between two marks.
std::vector<std::span<const ProfileEvent>> split(const std::vector<ProfileEvent>& events) {
    const auto next_mark = [&](auto from) {
        return std::find_if(from, events.end(),
                            [](const ProfileEvent& event) { return event.kernel == mark; });
    };
    std::vector<std::span<const ProfileEvent>> samples;
    for (auto begin = next_mark(events.begin()); begin != events.end();) {
        const auto end = next_mark(begin + 1);
        samples.emplace_back(begin + 1, end);
        begin = next_mark(end + 1);
    }
    return samples;
}

std::vector<KernelRun> kernels_of(std::span<const ProfileEvent> sample) {
    std::vector<KernelRun> runs;
    for (const ProfileEvent& event : sample) {
        const auto same = std::ranges::find_if(runs, [&](const KernelRun& run) {
            return run.kernel == event.kernel && run.constants == event.constants;
        });
        if (same == runs.end())
            runs.push_back({std::string(event.kernel), event.constants, 1});
        else
            ++same->dispatches;
    }
    return runs;
}

const std::vector<ProfileEvent>& record(Stream& s, std::uint32_t samples, const Separator& between,
                                        bool cold, const std::function<void()>& work) {
    s.clear_profile();
    for (std::uint32_t i = 0; i < samples; ++i) {
        auto scratch = s.scope();
        if (cold) between.sweep(s);
        between.mark(s);
        work();
        between.mark(s);
    }
    s.wait();
    if (s.profile().empty()) throw Error(s.device().info().name + ": it has no timestamps");
    return s.profile();
}

double seconds_of(std::span<const ProfileEvent> events) {
    double sum = 0;
    for (const ProfileEvent& event : events) sum += event.seconds;
    return sum;
}

}  // namespace

double percentile(const std::vector<double>& sorted, double share) {
    const double at = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const double above = sorted[std::min(below + 1, sorted.size() - 1)];
    return sorted[below] + (at - static_cast<double>(below)) * (above - sorted[below]);
}

Timing timing_of(std::vector<double> seconds) {
    std::ranges::sort(seconds);
    return {static_cast<std::uint32_t>(seconds.size()), percentile(seconds, 0.5),
            percentile(seconds, 0.1), percentile(seconds, 0.9)};
}

std::uint64_t swept_bytes(const Device& device, bool quick) {
    if (quick && device.info().is_cpu) return 16 * mebibyte;
    constexpr std::uint64_t most = 256 * mebibyte;
    const std::uint64_t wanted =
        device.info().is_cpu ? std::clamp(2 * last_level_cache(), 64 * mebibyte, most) : most;
    return std::min(wanted, std::max(device.free_bytes() / 8, mebibyte));
}

Separator::Separator(Device& device, std::uint64_t swept_bytes)
    : swept_(device, swept_bytes / 16 * 16, Memory::device, "memory swept between samples"),
      written_(device, 256, Memory::device, "what a sweep writes") {}

void Separator::sweep(Stream& s) const {
    constexpr std::uint32_t workgroup = 256, run = workgroup * shader::roof_quads;
    const auto quads = static_cast<std::uint32_t>(swept_.bytes() / 16);
    s.dispatch(kernels::read().specialize(workgroup),
               {.from = {swept_.address()}, .sums = {written_.address()}, .quads = quads},
               {.x = (quads + run - 1) / run}, {.bytes = static_cast<double>(swept_.bytes())});
}

void Separator::mark(Stream& s) const {
    s.dispatch(kernels::nothing(), {.written = {written_.address()}, .value = 0}, Grid{});
}

std::vector<double> sample_seconds(Stream& s, std::uint32_t samples, const Separator& between,
                                   bool cold, const std::function<void()>& work) {
    std::vector<double> seconds;
    for (const auto sample : split(record(s, samples, between, cold, work)))
        seconds.push_back(seconds_of(sample));
    return seconds;
}

std::vector<double> sample_spans(Stream& s, std::uint32_t samples, const Separator& between,
                                 const std::function<void()>& work) {
    std::vector<double> seconds;
    for (const auto sample : split(record(s, samples, between, true, work)))
        seconds.push_back(sample.back().start_seconds + sample.back().seconds -
                          sample.front().start_seconds);
    return seconds;
}

Measured measure(Stream& s, Work& work, const Separator& between, const MeasureOptions& options) {
    Measured measured;
    const std::function<void()> run = [&] { work.run(s); };
    const auto timed = [&](bool cold) {
        work.begin(s);
        const auto& trial = record(s, 2, between, cold, run);  // the first may warm up
        measured.kernels = kernels_of(split(trial).back());
        const double each = seconds_of(trial) / 2,
                     fitting = std::floor(options.most_seconds / std::max(each, 1e-9));
        const auto samples = static_cast<std::uint32_t>(
            std::clamp<double>(fitting, std::min(least_samples, options.samples), options.samples));
        work.begin(s);
        return timing_of(sample_seconds(s, samples, between, cold, run));
    };
    measured.cold = timed(true);
    measured.warm = timed(false);
    for (KernelRun& kernel : measured.kernels)
        kernel.executables = executables(s.device(), kernel.kernel, kernel.constants);
    return measured;
}

}  // namespace assay::bench
