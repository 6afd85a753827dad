#pragma once
#include <array>
#include <functional>
#include <span>
#include <vector>

#include "model/formats/file_tensor.h"
#include "runtime/ops.h"

namespace assay {

// Called while weights are loaded, with bytes of the file.
using LoadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Brings weights to the device through two staging buffers: the host fills one while the device
// empties the other.
class Uploader {
public:
    // `total` bytes of the file are to come, for the progress.
    Uploader(Device& device, std::uint64_t total, const LoadProgress& progress)
        : device_(device), stream_(device), total_(total), progress_(progress) {}

    // Of what place() will be asked for in all.
    void expect(std::uint64_t bytes) { remaining_ = bytes; }
    // Room for what follows, in the open block, the last of `memory`, or a new one.
    std::uint64_t place(std::vector<Buffer>& memory, std::uint64_t bytes);

    // The tensors' rows become those of `to`: of two tensors they alternate. head_dim as in
    // ops::Rearranged.
    void matrix(std::span<const FileTensor* const> from, const Weight& to, std::uint32_t head_dim);
    template <class T>
    void values(std::span<const T> from, const Tensor& to) {
        stream_.copy(stream_.upload(from), to);
    }

    void count(std::uint64_t bytes);  // of the file, used otherwise
    void finish() { stream_.wait(); }

    static std::uint64_t aligned(std::uint64_t bytes);  // as place() rounds
    // Small weights share blocks of this size; the last one may stay as good as empty.
    static constexpr std::uint64_t block_bytes = 64ull << 20;

private:
    struct Slot {
        Buffer buffer;
        Ticket ticket{};
    };

    Slot& free_slot(std::uint64_t bytes);

    Device& device_;
    std::array<Slot, 2> ring_;
    std::size_t next_ = 0;
    Stream stream_;  // its destructor waits for what still reads the ring
    bool block_open_ = false;
    std::uint64_t used_ = 0, remaining_ = 0, done_ = 0, total_;
    const LoadProgress& progress_;
};

}  // namespace assay
