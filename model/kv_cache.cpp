#include "model/kv_cache.h"

#include <string>

#include "runtime/error.h"

namespace assay {
namespace {

std::uint64_t side_bytes(const Config& config, Cache format, std::uint32_t blocks) {
    return std::uint64_t{blocks} * ops::block_slots * config.num_key_value_heads *
           row_bytes(format, config.head_dim);
}

}  // namespace

std::uint64_t KvCache::bytes(const Config& config, Cache format, std::uint32_t blocks,
                             const Share& share) {
    return 2 * side_bytes(config, format, blocks) * (share.end(config) - share.first_layer);
}

KvCache::KvCache(Device& device, const Config& config, Cache format, std::uint32_t blocks,
                 const Share& share)
    : format_(format),
      kv_heads_(config.num_key_value_heads),
      side_bytes_(side_bytes(config, format, blocks)) {
    for (std::uint32_t i = share.first_layer; i < share.end(config); ++i)
        layers_.emplace_back(device, 2 * side_bytes_, Memory::device,
                             "KV cache of layer " + std::to_string(i));
}

ops::KeysValues KvCache::layer(std::uint32_t index) const {
    const std::uint64_t address = layers_[index].address();
    return {.keys = {address},
            .values = {address + side_bytes_},
            .format = format_,
            .kv_heads = kv_heads_};
}

BlockPool::BlockPool(std::uint32_t blocks) {
    for (std::uint32_t block = blocks; block > 0; --block)
        free_.push_back(block - 1);  // the lowest is given out first
}

void BlockPool::grow(std::vector<std::uint32_t>& blocks, std::uint32_t positions) {
    const std::uint32_t needed = blocks_for(positions);
    if (needed > blocks.size() && needed - blocks.size() > free_.size())
        throw Error("KV cache: " + std::to_string(needed - blocks.size()) +
                    " more blocks asked for, " + std::to_string(free_.size()) + " free");
    while (blocks.size() < needed) {
        blocks.push_back(free_.back());
        free_.pop_back();
    }
}

void BlockPool::shrink(std::vector<std::uint32_t>& blocks, std::uint32_t positions) {
    while (blocks.size() > blocks_for(positions)) {
        free_.push_back(blocks.back());
        blocks.pop_back();
    }
}

}  // namespace assay
