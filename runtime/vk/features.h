#pragma once
#include <vulkan/vulkan.h>

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/tiers.h"

namespace assay::vk {

// The feature structs of Vulkan 1.3, and of those of our extensions that the device has, chained.
struct Features {
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executables{};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR coopmat{};
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV coopmat2{};
    VkPhysicalDeviceVulkan13Features v13{};
    VkPhysicalDeviceVulkan12Features v12{};
    VkPhysicalDeviceVulkan11Features v11{};
    VkPhysicalDeviceFeatures2 core{};

    explicit Features(const std::vector<std::string>& extensions) {
        v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
        v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
        v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
        core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
        core.pNext = &v11;
        v11.pNext = &v12;
        v12.pNext = &v13;
        coopmat.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
        coopmat2.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV;
        executables.sType =
            VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
        void** last = &v13.pNext;
        const auto chain = [&](const char* extension, auto& features) {
            if (std::ranges::find(extensions, extension) == extensions.end()) return;
            *last = &features;
            last = &features.pNext;
        };
        chain(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, coopmat);
        chain(VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME, coopmat2);
        chain(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME, executables);
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

// What a tier needs, checked, named and enabled in the same way.
struct TierFeature {
    Tier tier;
    const char* name;
    VkBool32& (*of)(Features&);
};
inline constexpr TierFeature tier_features[] = {
    {Tier::float16, "shaderFloat16", [](Features& f) -> VkBool32& { return f.v12.shaderFloat16; }},
    {Tier::dot, "shaderIntegerDotProduct",
     [](Features& f) -> VkBool32& { return f.v13.shaderIntegerDotProduct; }},
    {Tier::coopmat, "cooperativeMatrix",
     [](Features& f) -> VkBool32& { return f.coopmat.cooperativeMatrix; }},
    {Tier::coopmat, "shaderFloat16", [](Features& f) -> VkBool32& { return f.v12.shaderFloat16; }},
    {Tier::coopmat, "vulkanMemoryModel",
     [](Features& f) -> VkBool32& { return f.v12.vulkanMemoryModel; }},
    {Tier::coopmat, "vulkanMemoryModelDeviceScope",  // once the model is on, atomics need it
     [](Features& f) -> VkBool32& { return f.v12.vulkanMemoryModelDeviceScope; }},
    {Tier::coopmat_s8, "shaderInt8", [](Features& f) -> VkBool32& { return f.v12.shaderInt8; }},
    {Tier::coopmat2, "cooperativeMatrixFlexibleDimensions",
     [](Features& f) -> VkBool32& { return f.coopmat2.cooperativeMatrixFlexibleDimensions; }},
    {Tier::coopmat2, "cooperativeMatrixPerElementOperations",
     [](Features& f) -> VkBool32& { return f.coopmat2.cooperativeMatrixPerElementOperations; }},
};
// What DeviceInfo::tensor_loads takes of Tier::coopmat2 besides, all together.
inline constexpr VkBool32 VkPhysicalDeviceCooperativeMatrix2FeaturesNV::*tensor_features[] = {
    &VkPhysicalDeviceCooperativeMatrix2FeaturesNV::cooperativeMatrixWorkgroupScope,
    &VkPhysicalDeviceCooperativeMatrix2FeaturesNV::cooperativeMatrixTensorAddressing,
    &VkPhysicalDeviceCooperativeMatrix2FeaturesNV::cooperativeMatrixBlockLoads};
// A tier and one that needs it. What the first of a pair needs itself stands in a pair before.
inline constexpr std::pair<Tier, Tier> tier_needs[] = {{Tier::float16, Tier::coopmat},
                                                       {Tier::dot, Tier::coopmat_s8},
                                                       {Tier::coopmat, Tier::coopmat_s8},
                                                       {Tier::coopmat, Tier::coopmat2}};
// Extensions by the tier that needs them.
inline constexpr std::pair<Tier, const char*> tier_extensions[] = {
    {Tier::coopmat, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME},
    {Tier::coopmat2, VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME}};

// The required ones that are not there, by name.
inline std::vector<std::string> missing_features(Features& features) {
    std::vector<std::string> names;
    for (const RequiredFeature& feature : required_features)
        if (!feature.of(features)) names.emplace_back(feature.name);
    return names;
}

}  // namespace assay::vk
