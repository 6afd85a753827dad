#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/kernels/results.h"

namespace assay::bench {

// What an earlier run wrote as JSON, as far as it is compared.
struct Earlier {
    struct Times {
        Timing cold, warm;
    };
    std::string version, date, device, driver;
    std::map<std::string, Times> cases;  // by name

    // Throws an Error that says what is missing, or which schema it is of.
    explicit Earlier(const nlohmann::ordered_json& json);
};

// How much longer something takes than before.
enum class Change : std::uint8_t { within_noise, slower, faster };
struct Comparison {
    double ratio = 1;  // of medians: above 1 it takes longer now
    Change change{};
};
// A change is one beyond noise if the middle four fifths of the samples, p10 to p90, have nothing
// in common and the medians differ by more than 2 %.
Comparison compare(const Timing& before, const Timing& now);

// A table of the cases that both runs have, and a line that counts changes.
std::string comparison_text(const Report& report, const Earlier& earlier);
nlohmann::ordered_json comparison_json(const Report& report, const Earlier& earlier);

}  // namespace assay::bench
