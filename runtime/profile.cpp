#include "runtime/profile.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace assay {

std::vector<ProfileRow> summarise(const std::vector<ProfileEvent>& events) {
    std::map<std::string_view, ProfileRow> rows;
    for (const ProfileEvent& event : events) {
        ProfileRow& row = rows[event.kernel];
        row.kernel = event.kernel;
        ++row.calls;
        row.seconds += event.seconds;
        row.cost.bytes += event.cost.bytes;
        row.cost.flops += event.cost.flops;
    }
    std::vector<ProfileRow> sorted;
    for (auto& [name, row] : rows) sorted.push_back(row);
    std::ranges::sort(sorted, std::greater{}, &ProfileRow::seconds);
    return sorted;
}

std::string profile_table(const std::vector<ProfileEvent>& events, double peak_bytes_per_second) {
    double total = 0;
    for (const ProfileEvent& event : events) total += event.seconds;
    char line[160];
    std::snprintf(line, sizeof line, "%-24s %8s %10s %6s %9s %9s %7s\n", "kernel", "calls", "ms",
                  "share", "GB/s", "GFLOP/s", "of peak");
    std::string text = line;
    for (const ProfileRow& row : summarise(events)) {
        const double rate = row.seconds > 0 ? row.cost.bytes / row.seconds : 0;
        const double flops = row.seconds > 0 ? row.cost.flops / row.seconds : 0;
        std::snprintf(line, sizeof line, "%-24s %8llu %10.2f %5.1f%% %9.2f %9.2f",
                      row.kernel.c_str(), static_cast<unsigned long long>(row.calls),
                      row.seconds * 1e3, total > 0 ? 100 * row.seconds / total : 0, rate * 1e-9,
                      flops * 1e-9);
        text += line;
        if (peak_bytes_per_second > 0) {
            std::snprintf(line, sizeof line, " %6.1f%%", 100 * rate / peak_bytes_per_second);
            text += line;
        }
        text += '\n';
    }
    return text;
}

std::string chrome_trace(const std::vector<std::vector<ProfileEvent>>& devices) {
    std::string text = "{\"traceEvents\":[";
    const char* comma = "";
    char row[256];
    for (std::size_t device = 0; device < devices.size(); ++device) {
        const auto& events = devices[device];
        double first = events.empty() ? 0 : events.front().start_seconds;
        for (const ProfileEvent& event : events) first = std::min(first, event.start_seconds);
        for (const ProfileEvent& e : events) {
            std::snprintf(
                row, sizeof row,
                "%s\n{\"name\":\"%.*s\",\"ph\":\"X\",\"pid\":%zu,\"tid\":1,\"ts\":%.3f,\"dur\":"
                "%.3f,\"args\":{\"bytes\":%.0f,\"flops\":%.0f}}",
                comma, static_cast<int>(e.kernel.size()), e.kernel.data(), device + 1,
                (e.start_seconds - first) * 1e6, e.seconds * 1e6, e.cost.bytes, e.cost.flops);
            text += row;
            comma = ",";
        }
    }
    return text + "\n]}\n";
}

}  // namespace assay
