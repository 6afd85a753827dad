#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "grader/drift.h"
#include "runtime/cache.h"
#include "runtime/format.h"

namespace assay::cli {

struct DriftingJudge {
    std::string name;
    Cache kv;
    bool int8_activations;
    std::map<Format, std::uint64_t> bytes;  // of weights
};

struct TestedJudge {
    DriftingJudge judge;
    std::vector<ItemDrift> drifts;  // of the report's items
    Drift drift;
};

// What `assay drift` found.
struct DriftReport {
    DriftingJudge reference;
    std::vector<ReferenceItem> items;
    std::vector<Record> unscored;  // what the reference could not grade
    std::vector<TestedJudge> tests;
};

// A table with a row per test, and what changed in each.
std::string drift_table(const DriftReport& report);
nlohmann::ordered_json to_json(const DriftReport& report);

}  // namespace assay::cli
