#pragma once
#include <vulkan/vulkan.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "runtime/vk/pipelines.h"
#include "runtime/vk/vma.h"

namespace assay::ops {
struct Tuning;
}

namespace assay::vk {

// A VkInstance, with what the validation layers say about it and all that is made from it.
class Instance {
public:
    explicit Instance(bool validation);
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    VkInstance get() const { return instance_; }
    bool debug_names() const { return debug_names_; }
    std::vector<VkPhysicalDevice> physical_devices() const;
    std::vector<std::string> take_messages();

private:
    static VkBool32 collect(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                            const VkDebugUtilsMessengerCallbackDataEXT*, void* self);

    VkInstance instance_ = nullptr;
    VkDebugUtilsMessengerEXT messenger_ = nullptr;
    bool debug_names_ = false;
    std::mutex mutex_;
    std::vector<std::string> messages_;
};

// A physical device and what Assay needs to know of it.
struct PhysicalDevice {
    VkPhysicalDevice device = nullptr;
    std::uint32_t queue_family = 0;  // that computes and transfers
    std::uint32_t least_subgroup = 0, most_subgroup = 0;
    std::uint64_t timestamp_mask = 0;  // its valid bits
    float timestamp_period = 0;        // nanoseconds a tick; 0 if the queue has no timestamps
    std::uint64_t max_storage_range = 0;
    std::uint32_t max_groups[3]{};
    bool memory_budget = false;           // VK_EXT_memory_budget
    bool executable_properties = false;   // VK_KHR_pipeline_executable_properties
    std::vector<std::string> extensions;  // that it offers
    DeviceInfo info;
};

// Every device of the instance, the fastest usable one first.
std::vector<PhysicalDevice> rank_devices(const Instance& instance);
// One of them by DeviceOptions::select. Throws an Error if none fits.
PhysicalDevice choose_device(const std::vector<PhysicalDevice>& devices, const std::string& select);

// A buffer as Vulkan knows it.
struct BufferRange {
    VkBuffer buffer = nullptr;
    std::uint64_t begin = 0, end = 0;  // addresses
};

// Everything behind assay::Device.
class Context {
public:
    explicit Context(const DeviceOptions& options);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    const DeviceOptions& options() const { return options_; }
    const PhysicalDevice& physical() const { return physical_; }
    TierState& tier(Tier tier) { return physical_.info.tiers.at(static_cast<std::size_t>(tier)); }
    bool captures_statistics() const {
        return options_.executable_statistics && physical_.executable_properties;
    }
    VkDevice device() const { return device_; }
    VkQueue queue() const { return queue_; }
    VmaAllocator allocator() const { return allocator_; }
    Pipelines& pipelines() { return *pipelines_; }
    Instance& instance() { return instance_; }
    ops::Tuning& tuning() { return *tuning_; }

    // Shows an object under this name in validation messages and debuggers.
    void name_object(VkObjectType type, std::uint64_t handle, std::string_view name) const;

    void add_range(const BufferRange& range);
    void remove_range(const BufferRange& range);
    BufferRange find_range(std::uint64_t address) const;  // the buffer an address lies in

    std::uint64_t free_bytes() const;
    std::uint64_t allocated_bytes() const;
    std::uint64_t peak_allocated_bytes() const;

private:
    DeviceOptions options_;
    Instance instance_;
    PhysicalDevice physical_;
    VkDevice device_ = nullptr;
    VkQueue queue_ = nullptr;
    VmaAllocator allocator_ = nullptr;
    std::unique_ptr<Pipelines> pipelines_;
    std::unique_ptr<ops::Tuning> tuning_;
    PFN_vkSetDebugUtilsObjectNameEXT set_name_ = nullptr;
    mutable std::mutex mutex_;
    std::map<std::uint64_t, BufferRange> ranges_;  // by begin
    std::uint64_t allocated_ = 0, peak_ = 0;
};

}  // namespace assay::vk
