#include "model/memory_plan.h"

#include <algorithm>
#include <cstdio>

#include "runtime/error.h"

namespace assay {
namespace {

// Scratch of a step with `rows` tokens and the logits of one: what Mistral::logits() holds at its widest.
std::uint64_t scratch_bytes(const Config& c, std::uint64_t rows, std::uint64_t sequences) {
    const std::uint64_t heads = std::uint64_t{c.num_attention_heads} * c.head_dim, kv = std::uint64_t{c.num_key_value_heads} * c.head_dim;
    const std::uint64_t attention = c.hidden_size + 2 * heads + 2 * kv, ffn = c.hidden_size + 3ull * c.intermediate_size;
    return 4 * (rows * (c.hidden_size + std::max(attention, ffn)) + sequences * (2ull * c.vocab_size + 2ull * c.hidden_size));
}

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

MemoryPlan plan_memory(const Checkpoint& checkpoint, const EngineOptions& options, const DeviceInfo& device, std::uint64_t free_bytes) {
    const Config& config = checkpoint.config();
    const std::uint32_t chunk = options.prefill_chunk ? options.prefill_chunk : default_prefill_chunk(device);
    return {.weights = weight_bytes(checkpoint, options.context),
            .kv_cache = KvCache::bytes(config, options.kv, options.sequences * KvCache::blocks_for(options.context)),
            .scratch = scratch_bytes(config, std::min(chunk, options.context), options.sequences),
            .free = free_bytes};
}

void require_fit(const MemoryPlan& plan, const EngineOptions& options, const DeviceInfo& device) {
    if (plan.fits()) return;
    throw Error("the model needs " + bytes_text(plan.total()) + " (weights " + bytes_text(plan.weights) + ", KV cache " +
                bytes_text(plan.kv_cache) + " for " + std::to_string(options.context) + " tokens, scratch " + bytes_text(plan.scratch) + "), " +
                device.name + " has " + bytes_text(plan.free) +
                " free: take a smaller weight format, a shorter --context or another --device");
}

}  // namespace assay
