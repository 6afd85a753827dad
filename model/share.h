#pragma once
#include <algorithm>
#include <cstdint>

#include "model/config.h"

namespace assay {

// The part of a model that one device holds: consecutive layers, the embedding together with the
// first of all, the output with the last.
struct Share {
    std::uint32_t first_layer = 0;
    std::uint32_t layers = UINT32_MAX;  // at most those that follow
    // Experts of a layer that the device holds at a time, chosen among all layers by use, while all
    // lie in host memory; 0: every expert is on the device.
    std::uint32_t expert_slots = 0;
    // Bytes of slots in one buffer, if a layer's experts take no more: many drivers' end at 4 GiB.
    std::uint64_t expert_pool_bytes = 2'000'000'000;

    std::uint32_t end(const Config& c) const {
        return first_layer + std::min(layers, c.num_hidden_layers - first_layer);
    }
    bool first() const { return first_layer == 0; }
    bool last(const Config& c) const { return end(c) == c.num_hidden_layers; }
    bool holds(std::uint32_t layer, const Config& c) const {
        return layer >= first_layer && layer < end(c);
    }
    bool operator==(const Share&) const = default;
};

}  // namespace assay
