#pragma once
#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/share.h"
#include "runtime/cache.h"
#include "runtime/ops.h"

namespace assay {

// The keys and values of some layers.
class KvCache {
public:
    // Throws an Error when the format does not suit the model's head_dim.
    KvCache(Device& device, const Config& config, Cache format, std::uint32_t blocks,
            const Share& share = {});

    ops::KeysValues layer(std::uint32_t index) const;  // of the share's
    // Copies what a block holds of every layer.
    void copy_block(Stream&, std::uint32_t from, std::uint32_t to) const;

    // Throws as the constructor does.
    static std::uint64_t bytes(const Config& config, Cache format, std::uint32_t blocks,
                               const Share& share = {});

private:
    Cache format_;
    std::uint32_t kv_heads_;
    std::uint64_t block_bytes_;   // of the keys, or the values, of one layer
    std::uint64_t side_bytes_;    // all blocks of them
    std::vector<Buffer> layers_;  // keys, then values
};

}  // namespace assay
