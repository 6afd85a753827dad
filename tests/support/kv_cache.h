#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "runtime/cache.h"
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

        for (Buffer* buffer : {&keys_, &values_}) {
            *buffer = Buffer(device, std::uint64_t{blocks} * kv_heads * part_bytes(),
                             Memory::download, "cache");
            std::ranges::fill(buffer->host(), std::byte{0xff});  // NaN in every format
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
        const std::uint32_t run = info(format_).block_size;
        for (std::uint32_t i = 0; i < keys.size(); i += run) {
            const std::uint32_t head = i / head_dim_ % kv_heads_, at = i % head_dim_,
                                where = slot(sequence, i / head_dim_ / kv_heads_);
            put(keys_, where, head, at, std::span(keys).subspan(i, run));
            put(values_, where, head, at, std::span(values).subspan(i, run));
            for (std::uint32_t j = 0; j < run; ++j) {
                keys[i + j] = key(where, head, at + j);
                values[i + j] = value(where, head, at + j);
            }
        }
    }
    float key(std::uint32_t slot, std::uint32_t head, std::uint32_t i) const {
        return get(keys_, slot, head, i);
    }
    float value(std::uint32_t slot, std::uint32_t head, std::uint32_t i) const {
        return get(values_, slot, head, i);
    }
    std::uint32_t slots() const {
        return static_cast<std::uint32_t>(keys_.bytes() / part_bytes()) / kv_heads_ *
               ops::block_slots;
    }

private:
    std::uint64_t part_bytes() const { return ops::block_slots * row_bytes(format_, head_dim_); }

    // Where element i of a head lies and, in q8_0, the scale of its block.
    struct Place {
        std::uint64_t element, scale;  // in bytes
    };
    Place place(std::uint32_t slot, std::uint32_t head, std::uint32_t i) const {
        const std::uint64_t part =
            (std::uint64_t{slot / ops::block_slots} * kv_heads_ + head) * part_bytes();
        const std::uint32_t at = slot % ops::block_slots * head_dim_ + i,
                            bytes = format_ == Cache::f32   ? 4
                                    : format_ == Cache::f16 ? 2
                                                            : 1;
        return {part + at * bytes, part + ops::block_slots * head_dim_ + at / 32 * 2};
    }
    // A block of elements from i on, rounded to the nearest.
    void put(Buffer& buffer, std::uint32_t slot, std::uint32_t head, std::uint32_t i,
             std::span<const float> block) const {
        std::byte* const bytes = buffer.host().data();
        const Place at = place(slot, head, i);
        const std::uint16_t half = float_to_half(block[0]);
        if (format_ == Cache::f32) std::memcpy(bytes + at.element, block.data(), 4);
        if (format_ == Cache::f16) std::memcpy(bytes + at.element, &half, 2);
        if (format_ != Cache::q8_0) return;
        float greatest = 0;
        for (float x : block) greatest = std::max(greatest, std::fabs(x));
        const std::uint16_t bits = float_to_half(greatest / 127);
        const float scale = half_to_float(bits);
        std::memcpy(bytes + at.scale, &bits, 2);
        for (std::size_t j = 0; j < block.size(); ++j)
            bytes[at.element + j] = static_cast<std::byte>(
                scale > 0 ? std::clamp(std::lround(block[j] / scale), -127l, 127l) : 0);
    }
    float get(const Buffer& buffer, std::uint32_t slot, std::uint32_t head, std::uint32_t i) const {
        const std::byte* const bytes = buffer.host().data();
        const Place at = place(slot, head, i);
        if (format_ == Cache::f32) return read<float>(bytes + at.element);
        if (format_ == Cache::f16) return half_to_float(read<std::uint16_t>(bytes + at.element));
        return half_to_float(read<std::uint16_t>(bytes + at.scale)) *
               static_cast<float>(read<std::int8_t>(bytes + at.element));
    }
    template <class T>
    static T read(const std::byte* from) {
        T value;
        std::memcpy(&value, from, sizeof value);
        return value;
    }

    Cache format_;
    std::uint32_t kv_heads_, head_dim_;
    Buffer keys_, values_;
};

}  // namespace assay::test
