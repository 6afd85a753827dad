#pragma once
#include <cstdint>
#include <vector>

#include "model/config.h"
#include "model/share.h"
#include "runtime/cache.h"
#include "runtime/ops.h"

namespace assay {

// Hands out the blocks of ops::block_slots positions that sequences own (paged attention, Kwon et
// al. 2023). A block has its place in the cache of every layer.
class BlockPool {
public:
    explicit BlockPool(std::uint32_t blocks);

    // Blocks to hold `positions` of a sequence, added to those it has. Throws an Error when there
    // are too few.
    void grow(std::vector<std::uint32_t>& blocks, std::uint32_t positions);
    // Takes back the blocks beyond those that `positions` need.
    void shrink(std::vector<std::uint32_t>& blocks, std::uint32_t positions);

    static std::uint32_t blocks_for(std::uint32_t positions) {
        return (positions + ops::block_slots - 1) / ops::block_slots;
    }

private:
    std::vector<std::uint32_t> free_;
};

// The keys and values of some layers.
class KvCache {
public:
    // Throws an Error when the format does not suit the model's head_dim.
    KvCache(Device& device, const Config& config, Cache format, std::uint32_t blocks,
            const Share& share = {});

    ops::KeysValues layer(std::uint32_t index) const;  // of the share's

    // Throws as the constructor does.
    static std::uint64_t bytes(const Config& config, Cache format, std::uint32_t blocks,
                               const Share& share = {});

private:
    Cache format_;
    std::uint32_t kv_heads_;
    std::uint64_t side_bytes_;    // of the keys, or the values, of one layer
    std::vector<Buffer> layers_;  // keys, then values
};

}  // namespace assay
