#include "model/memory_plan.h"

#include <algorithm>
#include <cstdio>

#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::uint64_t transfer_bytes =
    64'000'000;  // two staging buffers of 16 MiB; an upload and a download block

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
    constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1000 && unit + 1 < std::size(units)) {
        value /= 1000;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

MemoryPlan plan_memory(const Checkpoint& checkpoint, const EngineOptions& options,
                       const DeviceInfo& device, std::uint64_t free_bytes) {
    return {.weights = weight_bytes(checkpoint, options.context),
            .kv_cache = KvCache::bytes(checkpoint.config(), options.kv,
                                       options.sequences * KvCache::blocks_for(options.context)),
            .scratch = scratch_bytes(checkpoint.config(), options, device),
            .transfers = transfer_bytes,
            .free = free_bytes};
}

void require_fit(const MemoryPlan& plan, const EngineOptions& options, const DeviceInfo& device) {
    if (plan.fits()) return;
    throw Error("the model needs " + bytes_text(plan.total()) + " (weights " +
                bytes_text(plan.weights) + ", KV cache " + bytes_text(plan.kv_cache) + " for " +
                std::to_string(options.context) + " tokens, scratch " +
                bytes_text(plan.scratch + plan.transfers) + "), " + device.name + " has " +
                bytes_text(plan.free) +
                " free: take a smaller weight format, a shorter --context or another --device");
}

}  // namespace assay
