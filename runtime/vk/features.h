#pragma once
#include <vulkan/vulkan.h>

#include <string>
#include <vector>

namespace assay::vk {

// The feature structs of Vulkan 1.3, chained.
struct Features {
    VkPhysicalDeviceVulkan13Features v13{};
    VkPhysicalDeviceVulkan12Features v12{};
    VkPhysicalDeviceVulkan11Features v11{};
    VkPhysicalDeviceFeatures2 core{};

    Features() {
        v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
        v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
        v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
        core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
        core.pNext = &v11;
        v11.pNext = &v12;
        v12.pNext = &v13;
    }
    Features(const Features&) = delete;
    Features& operator=(const Features&) = delete;
};

// What a device must have. The same list is checked, named in errors and enabled.
struct RequiredFeature {
    const char* name;
    VkBool32& (*of)(Features&);
};
inline constexpr RequiredFeature required_features[] = {
    {"shaderInt16", [](Features& f) -> VkBool32& { return f.core.features.shaderInt16; }},
    {"storageBuffer16BitAccess",
     [](Features& f) -> VkBool32& { return f.v11.storageBuffer16BitAccess; }},
    {"storageBuffer8BitAccess",
     [](Features& f) -> VkBool32& { return f.v12.storageBuffer8BitAccess; }},
    {"scalarBlockLayout", [](Features& f) -> VkBool32& { return f.v12.scalarBlockLayout; }},
    {"bufferDeviceAddress", [](Features& f) -> VkBool32& { return f.v12.bufferDeviceAddress; }},
    {"timelineSemaphore", [](Features& f) -> VkBool32& { return f.v12.timelineSemaphore; }},
    {"synchronization2", [](Features& f) -> VkBool32& { return f.v13.synchronization2; }},
    {"subgroupSizeControl", [](Features& f) -> VkBool32& { return f.v13.subgroupSizeControl; }},
    {"computeFullSubgroups", [](Features& f) -> VkBool32& { return f.v13.computeFullSubgroups; }},
    {"maintenance4", [](Features& f) -> VkBool32& { return f.v13.maintenance4; }},
};

// The required ones that are not there, by name.
inline std::vector<std::string> missing_features(Features& features) {
    std::vector<std::string> names;
    for (const RequiredFeature& feature : required_features)
        if (!feature.of(features)) names.emplace_back(feature.name);
    return names;
}

}  // namespace assay::vk
