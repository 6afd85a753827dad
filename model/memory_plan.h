#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "model/engine/engine.h"

namespace assay {

// What a run takes on the device, computed before anything is loaded.
struct MemoryPlan {
    std::uint64_t weights = 0, kv_cache = 0;
    std::uint64_t scratch = 0;    // of a step, see scratch_bytes()
    std::uint64_t transfers = 0;  // staging of weights; tokens in, logits out
    std::uint64_t free = 0;       // what the device has

    std::uint64_t total() const { return weights + kv_cache + scratch + transfers; }
    bool fits() const { return total() <= free; }
};

MemoryPlan plan_memory(const Checkpoint& checkpoint, const EngineOptions& options,
                       const DeviceInfo& device, std::uint64_t free_bytes);

// Throws an Error with the numbers and what can be done unless the plan fits.
void require_fit(const MemoryPlan& plan, const EngineOptions& options, const DeviceInfo& device);

std::string bytes_text(std::uint64_t bytes);  // "4.1 GB"

}  // namespace assay
