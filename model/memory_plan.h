#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "model/engine/engine.h"

namespace assay {

// What a share of a model takes on its device, computed before anything is loaded.
struct MemoryPlan {
    Share share{};
    std::uint64_t weights = 0, kv_cache = 0;
    std::uint64_t scratch = 0;       // of a step, see scratch_bytes()
    std::uint64_t transfers = 0;     // staging of weights; tokens in, logits out
    std::uint64_t free = 0;          // what the device has
    std::uint64_t host = 0;          // experts in host memory
    std::uint32_t expert_slots = 0;  // for these on the device
    bool unified = false;            // the device's memory is the host's

    std::uint64_t total() const { return weights + kv_cache + scratch + transfers; }
    std::uint64_t needed() const { return total() + (unified ? host : 0); }  // of `free`
    bool fits() const { return needed() <= free; }
};

// A device that is to hold a share of a model.
struct Place {
    DeviceInfo device;
    std::uint64_t free_bytes = 0;
};

MemoryPlan plan_memory(const Checkpoint& checkpoint, const EngineOptions& options,
                       const Place& place, const Share& share = {});

// How the layers are split over the places: so that the fullest is as empty as can be. With
// experts_on_host, as many slots for experts as still fit, at least one per expert of a layer.
std::vector<MemoryPlan> plan_memory(const Checkpoint& checkpoint, const EngineOptions& options,
                                    const std::vector<Place>& places, bool experts_on_host);

// Options for writing many texts at once, from those of one: as many sequences as suit the devices,
// unless `options` says how many, and as much KV cache as these use and the devices have room for,
// at most kv_bytes of it on each (0: no such bound) and no less than one text at full length.
// Throws an Error when that is more than kv_bytes.
EngineOptions fill_memory(const Checkpoint& checkpoint, EngineOptions options,
                          const std::vector<Place>& places, bool experts_on_host,
                          std::uint64_t kv_bytes = 0);

// Throws an Error with the numbers and what can be done unless every plan fits.
void require_fit(const std::vector<MemoryPlan>& plans, const EngineOptions& options,
                 const std::vector<Place>& places);

std::string bytes_text(std::uint64_t bytes);  // "4.1 GB"

}  // namespace assay
