#pragma once
#include <cstdio>
#include <string>
#include <utility>

// Numbers as people read them.
namespace assay::bench {

template <class... Values>
std::string format_text(const char* how, Values... values) {
    char text[512];
    std::snprintf(text, sizeof text, how, values...);
    return text;
}

// Three digits with a unit: "1.52 TOP/s".
inline std::string rate_text(double rate, const char* unit) {
    constexpr std::pair<double, const char*> prefixes[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}};
    const auto& [size, prefix] = prefixes[rate >= 1e12 ? 0 : rate >= 1e9 ? 1 : 2];
    const double value = rate / size;
    return format_text("%.*f %s%s", value >= 100 ? 0 : value >= 10 ? 1 : 2, value, prefix, unit);
}

inline std::string time_text(double seconds) {
    if (seconds >= 1) return format_text("%.3f s", seconds);
    if (seconds >= 1e-3) return format_text("%.3f ms", seconds * 1e3);
    return format_text("%.2f us", seconds * 1e6);
}

}  // namespace assay::bench
