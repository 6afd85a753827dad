#pragma once
#include <cstring>
#include <vector>

#include "bench/kernels/cases.h"
#include "runtime/half.h"
#include "runtime/ops.h"

namespace assay::bench {

// Blocks of one side of a KV cache as the host sees them, laid out as ops::KeysValues says.
struct KvBlocks {
    Cache format{};
    std::uint32_t kv_heads = 0, head_dim = 0;
    std::vector<std::byte> bytes{};

    std::uint64_t part_bytes() const { return ops::block_slots * row_bytes(format, head_dim); }
    std::uint64_t block_bytes() const { return kv_heads * part_bytes(); }
    // Where a part's scales begin in q8_0, of which each 32 elements have one.
    std::uint64_t scales_begin() const { return std::uint64_t{ops::block_slots} * head_dim; }

    float element(std::uint32_t block, std::uint32_t head, std::uint32_t slot,
                  std::uint32_t i) const {
        const std::size_t part = (std::size_t{block} * kv_heads + head) * part_bytes(),
                          element = std::size_t{slot} * head_dim + i;
        if (format == Cache::f32) return read<float>(part + 4 * element);
        if (format == Cache::f16) return half_to_float(read<std::uint16_t>(part + 2 * element));
        return half_to_float(read<std::uint16_t>(part + scales_begin() + element / 32 * 2)) *
               static_cast<float>(read<std::int8_t>(part + element));
    }

private:
    template <class T>
    T read(std::size_t at) const {
        T value;
        std::memcpy(&value, &bytes[at], sizeof value);
        return value;
    }
};

}  // namespace assay::bench
