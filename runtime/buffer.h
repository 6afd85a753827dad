#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "runtime/device.h"

namespace assay {

namespace vk {
struct Allocation;
}

enum class Memory {
    device,    // fastest for kernels; not mapped
    upload,    // written by the host, read by kernels
    download,  // written by kernels, read by the host
    host,      // the host's own, for kernels; what the device has no room for
};

// A block of memory that kernels reach by address. Freed on destruction, when no kernel may still
// use it. 64 KiB beyond its end belong to it too: a CPU implementation may read past the end of
// what it is given.
class Buffer {
public:
    Buffer();  // no memory
    // Throws an Error that names the buffer and its size when memory is short.
    Buffer(Device& device, std::uint64_t bytes, Memory memory, std::string_view name);
    ~Buffer();
    Buffer(Buffer&&) noexcept;
    Buffer& operator=(Buffer&&) noexcept;

    std::uint64_t address() const { return address_; }
    std::uint64_t bytes() const { return bytes_; }
    std::span<std::byte> host() const { return host_; }  // empty if not mapped

private:
    std::unique_ptr<vk::Allocation> allocation_;
    std::uint64_t address_ = 0, bytes_ = 0;
    std::span<std::byte> host_;
};

}  // namespace assay
