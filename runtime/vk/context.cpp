#include "runtime/vk/context.h"

#include <algorithm>
#include <cctype>

#include "runtime/error.h"
#include "runtime/ops/tuning.h"
#include "runtime/vk/check.h"
#include "runtime/vk/features.h"

namespace assay::vk {
namespace {

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::string join(const std::vector<std::string>& words) {
    std::string text;
    for (auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

}  // namespace

PhysicalDevice choose_device(const std::vector<PhysicalDevice>& devices,
                             const std::string& select) {
    if (devices.empty())
        throw Error(
            "no Vulkan device: no driver is installed (a GPU's own, or mesa-vulkan-drivers for the "
            "CPU)");
    const bool by_index = !select.empty() && std::ranges::all_of(select, [](unsigned char c) {
        return std::isdigit(c);
    });
    auto matches = [&](const PhysicalDevice& d) {
        return by_index ? std::to_string(d.info.index) == select
                        : lower(d.info.name).find(lower(select)) != std::string::npos;
    };
    auto chosen = std::ranges::find_if(devices, matches);
    if (chosen == devices.end()) {
        std::vector<std::string> names;
        for (auto& d : devices) names.push_back(std::to_string(d.info.index) + " " + d.info.name);
        throw Error("no Vulkan device matches --device " + select + ": there is " + join(names));
    }
    if (!chosen->info.missing.empty())
        throw Error(chosen->info.name + " cannot be used: it lacks " + join(chosen->info.missing));
    return *chosen;
}

Context::Context(const DeviceOptions& options)
    : options_(options),
      instance_(options.validation),
      physical_(choose_device(rank_devices(instance_), options.select)) {
    if (options.subgroup_size) {
        if (options.subgroup_size < physical_.least_subgroup ||
            options.subgroup_size > physical_.most_subgroup)
            throw Error(physical_.info.name + ": a subgroup of " +
                        std::to_string(options.subgroup_size) + " was asked for, it has " +
                        std::to_string(physical_.least_subgroup) + " to " +
                        std::to_string(physical_.most_subgroup));
        physical_.info.subgroup_size = options.subgroup_size;
    }

    for (const Tier disabled : options.disabled)
        if (tier(disabled).on) tier(disabled) = {.on = false, .note = "switched off"};
    for (const auto& [needed, by] : tier_needs)
        if (!tier(needed).on && tier(by).on)
            tier(by) = {.on = false, .note = std::string(name(needed)) + " is off"};

    Features features(physical_.extensions);
    for (const RequiredFeature& feature : required_features) feature.of(features) = VK_TRUE;
    for (const TierFeature& feature : tier_features)
        if (tier(feature.tier).on) feature.of(features) = VK_TRUE;
    if (tier(Tier::coopmat2).on && physical_.info.tensor_loads)
        for (const auto feature : tensor_features) features.coopmat2.*feature = VK_TRUE;
    features.executables.pipelineExecutableInfo = captures_statistics();
    std::vector<const char*> extensions;
    if (captures_statistics())
        extensions.push_back(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
    if (physical_.memory_budget) extensions.push_back(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    for (const auto& [of_tier, extension] : tier_extensions)
        if (tier(of_tier).on) extensions.push_back(extension);
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue{.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                        .pNext = nullptr,
                                        .flags = 0,
                                        .queueFamilyIndex = physical_.queue_family,
                                        .queueCount = 1,
                                        .pQueuePriorities = &priority};
    const VkDeviceCreateInfo create{
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &features.core,
        .flags = 0,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledLayerCount = 0,
        .ppEnabledLayerNames = nullptr,
        .enabledExtensionCount = static_cast<std::uint32_t>(extensions.size()),
        .ppEnabledExtensionNames = extensions.data(),
        .pEnabledFeatures = nullptr};
    check(vkCreateDevice(physical_.device, &create, nullptr, &device_));
    vkGetDeviceQueue(device_, physical_.queue_family, 0, &queue_);
    if (instance_.debug_names())
        set_name_ = reinterpret_cast<PFN_vkSetDebugUtilsObjectNameEXT>(
            vkGetDeviceProcAddr(device_, "vkSetDebugUtilsObjectNameEXT"));

    VmaAllocatorCreateInfo allocator{};
    allocator.flags = VMA_ALLOCATOR_CREATE_BUFFER_DEVICE_ADDRESS_BIT |
                      (physical_.memory_budget
                           ? VmaAllocatorCreateFlags{VMA_ALLOCATOR_CREATE_EXT_MEMORY_BUDGET_BIT}
                           : 0u);
    allocator.physicalDevice = physical_.device;
    allocator.device = device_;
    allocator.instance = instance_.get();
    allocator.vulkanApiVersion = VK_API_VERSION_1_3;
    check(vmaCreateAllocator(&allocator, &allocator_));
    pipelines_ = std::make_unique<Pipelines>(*this);
    tuning_ = std::make_unique<ops::Tuning>();
}

Context::~Context() {
    vkDeviceWaitIdle(device_);
    pipelines_.reset();
    vmaDestroyAllocator(allocator_);
    vkDestroyDevice(device_, nullptr);
}

void Context::name_object(VkObjectType type, std::uint64_t handle, std::string_view name) const {
    if (!set_name_) return;
    const std::string terminated(name);
    const VkDebugUtilsObjectNameInfoEXT info{
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
        .pNext = nullptr,
        .objectType = type,
        .objectHandle = handle,
        .pObjectName = terminated.c_str()};
    check(set_name_(device_, &info));
}

void Context::add_range(const BufferRange& range) {
    const std::lock_guard lock(mutex_);
    ranges_[range.begin] = range;
    allocated_ += range.end - range.begin;
    peak_ = std::max(peak_, allocated_);
}

void Context::remove_range(const BufferRange& range) {
    const std::lock_guard lock(mutex_);
    ranges_.erase(range.begin);
    allocated_ -= range.end - range.begin;
}

BufferRange Context::find_range(std::uint64_t address) const {
    const std::lock_guard lock(mutex_);
    auto after = ranges_.upper_bound(address);
    if (after == ranges_.begin() || std::prev(after)->second.end <= address)
        throw std::logic_error("no buffer holds the address a kernel was given");
    return std::prev(after)->second;
}

std::uint64_t Context::free_bytes() const {
    std::vector<VmaBudget> budgets(VK_MAX_MEMORY_HEAPS);
    vmaGetHeapBudgets(allocator_, budgets.data());
    const VkPhysicalDeviceMemoryProperties* memory = nullptr;
    vmaGetMemoryProperties(allocator_, &memory);
    std::uint64_t largest = 0, free = 0;  // of the heap that read_memory() takes too
    for (std::uint32_t i = 0; i < memory->memoryHeapCount; ++i) {
        if (!(memory->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) ||
            memory->memoryHeaps[i].size <= largest)
            continue;
        largest = memory->memoryHeaps[i].size;
        free = budgets[i].budget - std::min(budgets[i].budget, budgets[i].usage);
    }
    return free;
}

std::uint64_t Context::allocated_bytes() const {
    const std::lock_guard lock(mutex_);
    return allocated_;
}

std::uint64_t Context::peak_allocated_bytes() const {
    const std::lock_guard lock(mutex_);
    return peak_;
}

}  // namespace assay::vk
