#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels.gen.h"

namespace assay {

// How a format of the KV cache stores the elements of a head. `Cache` itself is the CACHE axis of
// the variant table; shaders/attention/cache.glsl has the layout.
struct CacheInfo {
    std::string_view name;
    std::uint32_t block_size;   // elements in a block
    std::uint32_t block_bytes;  // of a block
};

const CacheInfo& info(Cache format);
std::optional<Cache> cache_from_name(std::string_view name);
std::vector<std::string> cache_names();

// Bytes of one position of one head. Throws an Error unless head_dim is whole blocks.
std::uint64_t row_bytes(Cache format, std::uint32_t head_dim);

}  // namespace assay
