#include "runtime/buffer.h"

#include <string>

#include "runtime/error.h"
#include "runtime/vk/check.h"
#include "runtime/vk/context.h"

namespace assay {

namespace vk {

struct Allocation {
    Context* context = nullptr;
    VmaAllocation memory = nullptr;
    BufferRange range;

    Allocation() = default;
    Allocation(const Allocation&) = delete;
    Allocation& operator=(const Allocation&) = delete;
    ~Allocation() {
        if (range.buffer) {
            context->remove_range(range);
            vmaDestroyBuffer(context->allocator(), range.buffer, memory);
        }
    }
};

}  // namespace vk

namespace {

constexpr std::uint64_t padding = 64 * 1024;

VmaAllocationCreateInfo placement(Memory memory) {
    VmaAllocationCreateInfo info{};
    // Kernels read uploads as they lie, so these belong in device memory that the host can map,
    // where there is such.
    info.usage = memory == Memory::download || memory == Memory::host
                     ? VMA_MEMORY_USAGE_AUTO_PREFER_HOST
                     : VMA_MEMORY_USAGE_AUTO_PREFER_DEVICE;
    if (memory == Memory::device)
        info.requiredFlags =
            VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;  // or fail: never the host's instead
    if (memory == Memory::upload)
        info.flags = VMA_ALLOCATION_CREATE_MAPPED_BIT |
                     VMA_ALLOCATION_CREATE_HOST_ACCESS_SEQUENTIAL_WRITE_BIT;
    if (memory == Memory::download || memory == Memory::host)
        info.flags =
            VMA_ALLOCATION_CREATE_MAPPED_BIT | VMA_ALLOCATION_CREATE_HOST_ACCESS_RANDOM_BIT;
    if (memory != Memory::device) info.requiredFlags = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    return info;
}

}  // namespace

Buffer::Buffer(Device& device, std::uint64_t bytes, Memory memory, std::string_view name)
    : allocation_(std::make_unique<vk::Allocation>()), bytes_(bytes) {
    vk::Context& context = device.context();
    const VkBufferCreateInfo create{
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .pNext = nullptr,
        .flags = 0,
        .size = bytes + padding,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT |
                 VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
        .queueFamilyIndexCount = 0,
        .pQueueFamilyIndices = nullptr};
    const VmaAllocationCreateInfo where = placement(memory);
    VmaAllocationInfo info{};
    VkBuffer buffer = nullptr;
    const VkResult result =
        vmaCreateBuffer(context.allocator(), &create, &where, &buffer, &allocation_->memory, &info);
    if (result != VK_SUCCESS)
        throw Error(std::string(name) + ": " + std::to_string(bytes) + " bytes asked for, " +
                    (memory == Memory::host ? "refused as host memory by "
                                            : std::to_string(context.free_bytes()) + " free on ") +
                    context.physical().info.name + " (" + vk::result_name(result) + ")");

    const VkBufferDeviceAddressInfo address{
        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .pNext = nullptr, .buffer = buffer};
    address_ = vkGetBufferDeviceAddress(context.device(), &address);
    allocation_->context = &context;
    allocation_->range = {buffer, address_, address_ + bytes};
    context.add_range(allocation_->range);
    context.name_object(VK_OBJECT_TYPE_BUFFER, reinterpret_cast<std::uint64_t>(buffer), name);
    if (info.pMappedData) host_ = {static_cast<std::byte*>(info.pMappedData), bytes};
}

Buffer::Buffer() = default;
Buffer::~Buffer() = default;
Buffer::Buffer(Buffer&&) noexcept = default;
Buffer& Buffer::operator=(Buffer&&) noexcept = default;

}  // namespace assay
