#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/half.h"
#include "tests/support/tensors.h"

namespace assay::test {

// The keys and values of one layer for some sequences, whose blocks lie shuffled in the cache, as
// the host sees them. What is not stored is NaN, so that a kernel that uses it is found out.
class KvCache {
public:
    // lengths: positions of each sequence.
    KvCache(Device& device, Cache format, std::uint32_t kv_heads, std::uint32_t head_dim,
            const std::vector<std::uint32_t>& lengths, Random& random)
        : format_(format), kv_heads_(kv_heads), head_dim_(head_dim) {
        std::uint32_t blocks = 1;  // one that no sequence has
        for (std::uint32_t length : lengths) {
            const std::uint32_t own = (length + ops::block_slots - 1) / ops::block_slots;
            most_blocks = std::max(most_blocks, own);
            blocks += own;
        }
        const auto order = random.permutation(blocks);
        tables.assign(lengths.size() * most_blocks, blocks - 1);
        std::uint32_t next = 0;
        for (std::size_t sequence = 0; sequence < lengths.size(); ++sequence)
            for (std::uint32_t block = 0; block * ops::block_slots < lengths[sequence]; ++block)
                tables[sequence * most_blocks + block] = order[next++];

        const std::uint64_t elements =
            std::uint64_t{blocks} * ops::block_slots * kv_heads * head_dim;
        for (Buffer* buffer : {&keys_, &values_}) {
            *buffer = Buffer(device, elements * (format == Cache::f32 ? 4 : 2), Memory::download,
                             "cache");
            for (std::uint64_t i = 0; i < elements; ++i)
                put(*buffer, i, std::numeric_limits<float>::quiet_NaN());
        }
    }

    std::vector<std::uint32_t> tables;  // (sequences, most_blocks)
    std::uint32_t most_blocks = 1;

    std::uint32_t slot(std::size_t sequence, std::uint32_t position) const {
        return tables[sequence * most_blocks + position / ops::block_slots] * ops::block_slots +
               position % ops::block_slots;
    }
    ops::KeysValues device() const {
        return {.keys = {keys_.address(), {1, 1, 1}},
                .values = {values_.address(), {1, 1, 1}},
                .format = format_,
                .kv_heads = kv_heads_};
    }

    // keys and values (positions, kv_heads, head_dim) of a sequence. They are rounded to what the
    // cache holds.
    void store(std::size_t sequence, std::vector<float>& keys, std::vector<float>& values) {
        for (std::uint32_t i = 0; i < keys.size(); ++i) {
            const std::uint32_t head = i / head_dim_ % kv_heads_,
                                position = i / head_dim_ / kv_heads_;
            const std::uint64_t at = element(slot(sequence, position), head, i % head_dim_);
            put(keys_, at, keys[i]);
            put(values_, at, values[i]);
            keys[i] = get(keys_, at);
            values[i] = get(values_, at);
        }
    }
    float key(std::uint32_t slot, std::uint32_t head, std::uint32_t i) const {
        return get(keys_, element(slot, head, i));
    }
    float value(std::uint32_t slot, std::uint32_t head, std::uint32_t i) const {
        return get(values_, element(slot, head, i));
    }
    std::uint32_t slots() const {
        return static_cast<std::uint32_t>(keys_.bytes() / (format_ == Cache::f32 ? 4 : 2) /
                                          kv_heads_ / head_dim_);
    }

private:
    // (blocks, kv_heads, block_slots, head_dim)
    std::uint64_t element(std::uint32_t slot, std::uint32_t head, std::uint32_t i) const {
        return ((std::uint64_t{slot / ops::block_slots} * kv_heads_ + head) * ops::block_slots +
                slot % ops::block_slots) *
                   head_dim_ +
               i;
    }
    void put(Buffer& buffer, std::uint64_t at, float value) const {
        if (format_ == Cache::f32)
            reinterpret_cast<float*>(buffer.host().data())[at] = value;
        else
            reinterpret_cast<std::uint16_t*>(buffer.host().data())[at] = float_to_half(value);
    }
    float get(const Buffer& buffer, std::uint64_t at) const {
        if (format_ == Cache::f32) return reinterpret_cast<const float*>(buffer.host().data())[at];
        return half_to_float(reinterpret_cast<const std::uint16_t*>(buffer.host().data())[at]);
    }

    Cache format_;
    std::uint32_t kv_heads_, head_dim_;
    Buffer keys_, values_;
};

}  // namespace assay::test
