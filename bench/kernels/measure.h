#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/kernels/work.h"
#include "runtime/executables.h"

namespace assay::bench {

// Seconds of GPU time of some samples.
struct Timing {
    std::uint32_t samples = 0;
    double median = 0, p10 = 0, p90 = 0;
};

// Between neighbouring values where the share falls between two. sorted: not empty.
double percentile(const std::vector<double>& sorted, double share);
Timing timing_of(std::vector<double> seconds);  // not empty

// A kernel of an operation, and how often it ran for it.
struct KernelRun {
    std::string kernel;  // "direct.q4_0"
    Constants constants{};
    std::uint32_t dispatches = 0;
    std::vector<Executable> executables{};  // as far as the driver tells
};

struct MeasureOptions {
    std::uint32_t samples = 30;
    double most_seconds = 1;  // of a case, cold and warm each; fewer samples are taken where they
                              // would take longer, least_samples at the least
};
constexpr std::uint32_t least_samples = 3;

// Bytes to read before a cold sample: twice what caches hold, as far as that can be known, but no
// more than takes a fraction of a second to read or an eighth of the memory that is free. quick: a
// CPU implementation reads little.
std::uint64_t swept_bytes(const Device& device, bool quick);

// What is recorded around samples.
class Separator {
public:
    Separator(Device& device, std::uint64_t swept_bytes);

    std::uint64_t swept_bytes() const { return swept_.bytes(); }
    void sweep(
        Stream& s) const;  // reads memory that nothing else uses: no cache holds anything else
    // An empty dispatch, on either side of a sample. It writes where marks and sweeps before it
    // write, so that all that is recorded before it ends before it begins.
    void mark(Stream& s) const;

private:
    Buffer swept_, written_;
};

struct Measured {
    Timing cold, warm;
    std::vector<KernelRun> kernels;
};

// Times work that has run before: cold, each run after a sweep, and warm, each run after the one
// before. `s` is a profiling stream with nothing recorded. Only the dispatches' own time counts,
// not the gaps between them.
Measured measure(Stream& s, Work& work, const Separator& between, const MeasureOptions& options);

// Samples of whatever `work` records; cold or warm. Throws an Error if the device has no
// timestamps.
std::vector<double> sample_seconds(Stream& s, std::uint32_t samples, const Separator& between,
                                   bool cold, const std::function<void()>& work);

// The same, cold, from the beginning of a sample's first dispatch to the end of its last.
std::vector<double> sample_spans(Stream& s, std::uint32_t samples, const Separator& between,
                                 const std::function<void()>& work);

}  // namespace assay::bench
