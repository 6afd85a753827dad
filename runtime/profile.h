#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/vk/kernel.h"

namespace assay {

// What an operation moves and computes, by the operation's own count.
struct Cost {
    double bytes = 0, flops = 0;
};

// GPU time of one dispatch.
struct ProfileEvent {
    std::string_view kernel;  // "direct.q4_0"
    double start_seconds = 0, seconds = 0;
    Cost cost;
    Constants constants{};  // the kernel was specialized with
};

// The dispatches of one kernel together.
struct ProfileRow {
    std::string kernel;
    std::uint64_t calls = 0;
    double seconds = 0;
    Cost cost;
};

// Sums per kernel, the longest first.
std::vector<ProfileRow> summarise(const std::vector<ProfileEvent>& events);

// The summary as a table for a person. Peaks are the device's measured ones, 0 if unknown.
std::string profile_table(const std::vector<ProfileEvent>& events, double peak_bytes_per_second);

// The events of each device in the Chrome trace format, which Perfetto reads too: a process for
// each, whose time begins with its first event.
std::string chrome_trace(const std::vector<std::vector<ProfileEvent>>& devices);

}  // namespace assay
