#include <algorithm>

#include "model/engine/engine.h"

namespace assay {

// What Mistral::logits() holds at its widest, each tensor rounded up.
std::uint64_t scratch_bytes(const Config& c, const EngineOptions& options, const DeviceInfo& device,
                            const Share& share) {
    const std::uint32_t chunk =
        options.prefill_chunk ? options.prefill_chunk : default_prefill_chunk(c, device);
    const std::uint64_t rows = std::min(chunk, options.context * options.sequences);
    const std::uint64_t heads = std::uint64_t{c.num_attention_heads} * c.head_dim,
                        kv = std::uint64_t{c.num_key_value_heads} * c.head_dim;
    const std::uint64_t wanted = options.choice_rows();
    const std::uint64_t attention =
        4 * rows * (c.hidden_size + 3 * heads + 2 * kv) + 4 * wanted * heads +
        ops::attention_scratch_bytes(device, static_cast<std::uint32_t>(rows),
                                     c.num_attention_heads, c.head_dim, options.context,
                                     options.batch_invariant);
    // Routed rows go through as rows of their own, with a few words each to sort them. (A model
    // that stores gate and up in different formats takes two more rows each; the arena then grows.)
    const std::uint64_t experts = c.num_local_experts,
                        routed = rows * std::max(c.num_experts_per_tok, 1u);
    const std::uint64_t routing = 4 * (rows * experts + 6 * routed + 3 * experts);
    const std::uint64_t ffn = 4 * rows * c.hidden_size + 4 * routed * c.intermediate_size +
                              (experts != 0 ? 4 * routed * c.hidden_size + routing : 0);
    const std::uint64_t last =
        share.last(c) ? 4 * wanted * (2ull * c.vocab_size + 2ull * c.hidden_size) : 0;
    // The operand of one product in halves, where there are cooperative matrices, or in bytes, with
    // 8 more for every 32.
    const std::uint64_t operand = std::max(rows * std::max<std::uint64_t>(c.hidden_size, heads),
                                           routed * std::max(c.hidden_size, c.intermediate_size));
    const bool in_halves = !device.is_cpu && device.tier(Tier::coopmat).on;
    const std::uint64_t packed = in_halves                  ? 2 * operand + 4 * routed
                                 : options.int8_activations ? operand + operand / 4
                                                            : 0;
    constexpr std::uint64_t rounding = 32 * 256;
    // A layer's are gone when the next begins, and all layers' when tokens are chosen.
    return 4 * (rows + wanted) * c.hidden_size + std::max(std::max(attention, ffn) + packed, last) +
           rounding;
}

// With experts a row meets only some of the weights, so more rows keep a GPU busy.
std::uint32_t default_prefill_chunk(const Config& config, const DeviceInfo& device) {
    if (device.is_cpu) return 256;
    return config.num_local_experts == 0 ? 1024 : 2048;
}

}  // namespace assay
