#include "model/uploader.h"

#include <algorithm>
#include <cstring>

namespace assay {
namespace {

constexpr std::uint64_t staging_bytes = 16ull << 20;
constexpr std::uint64_t alignment = 256;

}  // namespace

std::uint64_t Uploader::aligned(std::uint64_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

std::uint64_t Uploader::place(std::vector<Buffer>& memory, std::uint64_t bytes) {
    bytes = aligned(bytes);
    const std::uint64_t left = remaining_;
    remaining_ -= std::min(remaining_, bytes);
    // What is large has a buffer of its own, so that no block ends half empty.
    if (bytes > block_bytes / 8)
        return memory
            .emplace(memory.end() - (block_open_ ? 1 : 0), device_, bytes, Memory::device,
                     "weights")
            ->address();
    if (!block_open_ || used_ + bytes > memory.back().bytes()) {
        memory.emplace_back(device_, std::max(bytes, std::min(block_bytes, left)), Memory::device,
                            "weights");
        block_open_ = true;
        used_ = 0;
    }
    used_ += bytes;
    return memory.back().address() + used_ - bytes;
}

void Uploader::matrix(std::span<const FileTensor* const> from, const Weight& to,
                      std::uint32_t head_dim) {
    const auto tensors = static_cast<std::uint32_t>(from.size());
    const std::uint64_t row = row_bytes(to.format, to.in_dim);
    const std::uint32_t whole = head_dim != 0 ? head_dim : 2;  // rows that repack takes together
    const auto at_once = static_cast<std::uint32_t>(
                             std::max<std::uint64_t>(staging_bytes / (row * tensors) / whole, 1)) *
                         whole;
    const std::uint32_t rows = to.out_dim / tensors;  // of each tensor
    for (std::uint32_t first = 0; first < rows; first += at_once) {
        const std::uint32_t some = std::min(at_once, rows - first);
        Slot& slot = free_slot(some * row * tensors);
        std::byte* end = slot.buffer.host().data();
        for (const FileTensor* tensor : from) {
            const auto part = tensor->data.subspan(first * row, some * row);
            std::memcpy(end, part.data(), part.size());
            end += part.size();
        }
        ops::repack(stream_, {slot.buffer.address()}, some * tensors, first * tensors, to,
                    {.head_dim = head_dim, .halves = tensors == 2});
        slot.ticket = stream_.submit();
        count(some * row * tensors);
    }
}

void Uploader::count(std::uint64_t bytes) {
    done_ += bytes;
    if (progress_) progress_(done_, total_);
}

Uploader::Slot& Uploader::free_slot(std::uint64_t bytes) {
    Slot& slot = ring_[next_];
    next_ = 1 - next_;
    stream_.wait(slot.ticket);
    if (slot.buffer.bytes() < bytes)
        slot.buffer = Buffer(device_, std::max(bytes, staging_bytes), Memory::upload, "staging");
    return slot;
}

}  // namespace assay
