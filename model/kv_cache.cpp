#include "model/kv_cache.h"

#include <string>

#include "runtime/error.h"

namespace assay {
namespace {

std::uint64_t block_bytes(const Config& config, Cache format) {
    return std::uint64_t{ops::block_slots} * config.num_key_value_heads *
           row_bytes(format, config.head_dim);
}

}  // namespace

std::uint64_t KvCache::bytes(const Config& config, Cache format, std::uint32_t blocks,
                             const Share& share) {
    return 2 * blocks * block_bytes(config, format) * (share.end(config) - share.first_layer);
}

KvCache::KvCache(Device& device, const Config& config, Cache format, std::uint32_t blocks,
                 const Share& share)
    : format_(format),
      kv_heads_(config.num_key_value_heads),
      block_bytes_(block_bytes(config, format)),
      side_bytes_(blocks * block_bytes_) {
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

void KvCache::copy_block(Stream& s, std::uint32_t from, std::uint32_t to) const {
    const auto words = static_cast<std::uint32_t>(block_bytes_ / 4);
    for (const Buffer& layer : layers_)
        for (std::uint64_t side : {layer.address(), layer.address() + side_bytes_})
            s.copy({side + from * block_bytes_, {words, 1, 1}},
                   {side + to * block_bytes_, {words, 1, 1}});
}

}  // namespace assay
