#include <algorithm>
#include <cstdio>
#include <cstring>

#include "runtime/vk/check.h"
#include "runtime/vk/context.h"
#include "runtime/vk/features.h"
#include "runtime/vk/queries.h"

namespace assay::vk {
namespace {

std::string version_text(std::uint32_t version) {
    return std::to_string(VK_API_VERSION_MAJOR(version)) + "." +
           std::to_string(VK_API_VERSION_MINOR(version)) + "." +
           std::to_string(VK_API_VERSION_PATCH(version));
}

const char* kind_name(VkPhysicalDeviceType type) {
    switch (type) {
        case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
            return "discrete GPU";
        case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
            return "integrated GPU";
        case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
            return "virtual GPU";
        case VK_PHYSICAL_DEVICE_TYPE_CPU:
            return "CPU";
        default:
            return "other";
    }
}

// The lower the better: usable first, then by kind.
int rank(const PhysicalDevice& device) {
    constexpr const char* best_first[] = {"discrete GPU", "integrated GPU", "virtual GPU", "other",
                                          "CPU"};
    const auto place = std::ranges::find(best_first, device.info.kind) - std::begin(best_first);
    return static_cast<int>(place) + (device.info.missing.empty() ? 0 : 100);
}

std::vector<std::string> extension_names(VkPhysicalDevice device) {
    std::vector<std::string> names;
    for (const VkExtensionProperties& extension :
         list_all("vkEnumerateDeviceExtensionProperties", VkExtensionProperties{},
                  vkEnumerateDeviceExtensionProperties, device, nullptr))
        names.emplace_back(extension.extensionName);
    return names;
}

void read_memory(VkPhysicalDevice device, bool budget, DeviceInfo& info) {
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budgets{};
    budgets.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
    VkPhysicalDeviceMemoryProperties2 memory{};
    memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
    memory.pNext = budget ? &budgets : nullptr;
    vkGetPhysicalDeviceMemoryProperties2(device, &memory);

    const auto& properties = memory.memoryProperties;
    for (std::uint32_t i = 0; i < properties.memoryHeapCount; ++i) {
        if (!(properties.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)) continue;
        // A second, small heap is a window for the host, not room for a model.
        if (properties.memoryHeaps[i].size <= info.memory_bytes) continue;
        info.memory_bytes = properties.memoryHeaps[i].size;
        info.memory_free_bytes =
            budget ? budgets.heapBudget[i] - std::min(budgets.heapBudget[i], budgets.heapUsage[i])
                   : properties.memoryHeaps[i].size;
    }
    info.unified_memory = properties.memoryHeapCount > 0;
    for (std::uint32_t i = 0; i < properties.memoryHeapCount; ++i)
        info.unified_memory &=
            (properties.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0;
}

// As Linux and NVIDIA's management library spell it.
std::string pci_address(VkPhysicalDevice device) {
    const auto bus = properties_of<VkPhysicalDevicePCIBusInfoPropertiesEXT>(
        device, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT);
    char text[32];
    std::snprintf(text, sizeof text, "%04x:%02x:%02x.%x", bus.pciDomain, bus.pciBus, bus.pciDevice,
                  bus.pciFunction);
    return text;
}

// By number, since headers older than a type do not name it.
constexpr std::pair<int, const char*> component_types[] = {
    {VK_COMPONENT_TYPE_FLOAT16_KHR, "f16"},
    {VK_COMPONENT_TYPE_FLOAT32_KHR, "f32"},
    {VK_COMPONENT_TYPE_FLOAT64_KHR, "f64"},
    {VK_COMPONENT_TYPE_SINT8_KHR, "s8"},
    {VK_COMPONENT_TYPE_SINT16_KHR, "s16"},
    {VK_COMPONENT_TYPE_SINT32_KHR, "s32"},
    {VK_COMPONENT_TYPE_SINT64_KHR, "s64"},
    {VK_COMPONENT_TYPE_UINT8_KHR, "u8"},
    {VK_COMPONENT_TYPE_UINT16_KHR, "u16"},
    {VK_COMPONENT_TYPE_UINT32_KHR, "u32"},
    {VK_COMPONENT_TYPE_UINT64_KHR, "u64"},
    {1000141000, "bf16"},     // VK_KHR_shader_bfloat16
    {1000491002, "f8_e4m3"},  // VK_EXT_shader_float8
    {1000491003, "f8_e5m2"},
};

std::string type_name(VkComponentTypeKHR type) {
    const auto* found = std::ranges::find(component_types, static_cast<int>(type),
                                          &std::pair<int, const char*>::first);
    return found == std::end(component_types) ? "type " + std::to_string(type) : found->second;
}

// Those of a subgroup whose operands are of one type, and whose sums are.
std::vector<MatrixShape> matrix_shapes(const Instance& instance, VkPhysicalDevice device) {
    constexpr const char* name = "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR";
    const auto list = reinterpret_cast<PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR>(
        vkGetInstanceProcAddr(instance.get(), name));
    const auto each = structure<VkCooperativeMatrixPropertiesKHR>(
        VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR);
    std::vector<MatrixShape> shapes;
    for (const auto& l : list_all(name, each, list, device))
        if (l.scope == VK_SCOPE_SUBGROUP_KHR && l.AType == l.BType && l.CType == l.ResultType &&
            !l.saturatingAccumulation)
            shapes.push_back({.rows = l.MSize,
                              .columns = l.NSize,
                              .depth = l.KSize,
                              .operands = type_name(l.AType),
                              .sums = type_name(l.CType)});
    return shapes;
}

// Of any size, of f16 with f32 sums.
std::vector<MatrixSteps> matrix_steps(const Instance& instance, VkPhysicalDevice device) {
    constexpr const char* name =
        "vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV";
    const auto list =
        reinterpret_cast<PFN_vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV>(
            vkGetInstanceProcAddr(instance.get(), name));
    const auto each = structure<VkCooperativeMatrixFlexibleDimensionsPropertiesNV>(
        VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_FLEXIBLE_DIMENSIONS_PROPERTIES_NV);
    std::vector<MatrixSteps> steps;
    for (const auto& l : list_all(name, each, list, device)) {
        const bool of_subgroup = l.scope == VK_SCOPE_SUBGROUP_KHR,
                   of_workgroup = l.scope == VK_SCOPE_WORKGROUP_KHR && l.workgroupInvocations > 0;
        if ((of_subgroup || of_workgroup) && l.AType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
            l.BType == l.AType && l.CType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
            l.ResultType == l.CType && !l.saturatingAccumulation)
            steps.push_back({.rows = l.MGranularity,
                             .columns = l.NGranularity,
                             .depth = l.KGranularity,
                             .workgroup = of_subgroup ? 0 : l.workgroupInvocations});
    }
    return steps;
}

// Whether the device has what each tier needs.
TierStates tier_states(Features& features, const DeviceInfo& info, bool dot_accelerated) {
    TierStates states;
    for (TierState& state : states) state.on = true;
    const auto lacks = [&](Tier tier, const std::string& what) {
        TierState& state = states.at(static_cast<std::size_t>(tier));
        if (state.on) state = {.on = false, .note = "the device lacks " + what};
    };
    for (const TierFeature& feature : tier_features)
        if (!feature.of(features)) lacks(feature.tier, feature.name);
    // A CPU implementation has it to tell what its results are, not to be fast.
    if (!dot_accelerated && !info.is_cpu) lacks(Tier::dot, "acceleration of it");
    for (const auto& [tier, operands, sums] :
         {std::tuple{Tier::coopmat, "f16", "f32"}, {Tier::coopmat_s8, "s8", "s32"}})
        if (std::ranges::none_of(info.matrix_shapes, [&](const MatrixShape& s) {
                return s.operands == operands && s.sums == sums;
            }))
            lacks(tier, std::string("matrices of ") + operands + " with " + sums + " sums");
    // Mesa 26.2's lavapipe crashes when it compiles them for subgroups of 4 or 16.
    if (info.is_cpu && info.subgroup_size != 8) lacks(Tier::coopmat, "subgroups of 8 for it");
    if (info.matrix_steps.empty())
        lacks(Tier::coopmat2, "matrices of any size of f16 with f32 sums");
    for (const auto& [needed, by] : tier_needs)
        if (!states.at(static_cast<std::size_t>(needed)).on) lacks(by, name(needed).data());
    return states;
}

PhysicalDevice describe(const Instance& instance, VkPhysicalDevice device) {
    PhysicalDevice d;
    d.device = device;

    VkPhysicalDeviceVulkan13Properties v13{};
    v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES;
    VkPhysicalDeviceVulkan12Properties v12{};
    v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES;
    v12.pNext = &v13;
    VkPhysicalDeviceVulkan11Properties v11{};
    v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES;
    v11.pNext = &v12;
    VkPhysicalDeviceProperties2 properties{};
    properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    vkGetPhysicalDeviceProperties2(device, &properties);

    DeviceInfo& info = d.info;
    info.name = properties.properties.deviceName;
    info.kind = kind_name(properties.properties.deviceType);
    info.is_cpu = properties.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    info.api_version = version_text(properties.properties.apiVersion);
    const VkPhysicalDeviceLimits& limits = properties.properties.limits;
    info.max_workgroup_invocations = limits.maxComputeWorkGroupInvocations;
    info.shared_memory_bytes = limits.maxComputeSharedMemorySize;
    d.max_storage_range = limits.maxStorageBufferRange;
    std::copy_n(limits.maxComputeWorkGroupCount, 3, d.max_groups);

    d.extensions = extension_names(device);
    auto has = [&](const char* name) {
        return std::ranges::find(d.extensions, name) != d.extensions.end();
    };
    d.memory_budget = has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    read_memory(device, d.memory_budget, info);
    if (has(VK_EXT_PCI_BUS_INFO_EXTENSION_NAME)) info.pci_address = pci_address(device);

    if (properties.properties.apiVersion < VK_API_VERSION_1_3) {
        info.missing.push_back("Vulkan 1.3 (it has " + info.api_version + ")");
        return d;
    }
    properties.pNext = &v11;
    vkGetPhysicalDeviceProperties2(device, &properties);
    info.driver = std::string(v12.driverName) + " " + v12.driverInfo;
    info.subgroup_size = v11.subgroupSize;
    d.least_subgroup = v13.minSubgroupSize;
    d.most_subgroup = v13.maxSubgroupSize;

    Features features(d.extensions);
    vkGetPhysicalDeviceFeatures2(device, &features.core);
    info.missing = missing_features(features);
    d.executable_properties = features.executables.pipelineExecutableInfo != 0;
    constexpr std::pair<VkSubgroupFeatureFlags, const char*> subgroup_operations[] = {
        {VK_SUBGROUP_FEATURE_ARITHMETIC_BIT, "subgroup arithmetic"},
        {VK_SUBGROUP_FEATURE_SHUFFLE_BIT, "subgroup shuffle"}};
    for (auto [bit, name] : subgroup_operations)
        if (!(v11.subgroupSupportedOperations & bit) ||
            !(v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT))
            info.missing.emplace_back(name);

    // The largest workgroups and narrowest subgroups of the kernels.
    constexpr std::uint32_t workgroup = 256, subgroup = 4;
    if (info.max_workgroup_invocations < workgroup)
        info.missing.push_back("workgroups of " + std::to_string(workgroup) + " (it has " +
                               std::to_string(info.max_workgroup_invocations) + ")");
    if (info.subgroup_size < subgroup)
        info.missing.push_back("subgroups of " + std::to_string(subgroup) + " (it has " +
                               std::to_string(info.subgroup_size) + ")");
    if (d.least_subgroup != d.most_subgroup &&
        !(v13.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT))
        info.missing.emplace_back("a choice of subgroup size in compute shaders");

    if (has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME))
        info.matrix_shapes = matrix_shapes(instance, device);
    if (has(VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME)) {
        info.matrix_steps = matrix_steps(instance, device);
        info.most_matrix_side =
            properties_of<VkPhysicalDeviceCooperativeMatrix2PropertiesNV>(
                device, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_PROPERTIES_NV)
                .cooperativeMatrixFlexibleDimensionsMaxDimension;
        info.tensor_loads = std::ranges::all_of(
            tensor_features, [&](const auto feature) { return features.coopmat2.*feature != 0; });
    }
    info.tiers =
        tier_states(features, info, v13.integerDotProduct4x8BitPackedSignedAccelerated != 0);

    std::uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
    std::vector<VkQueueFamilyProperties> families(count);
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
    auto computes = std::ranges::find_if(
        families, [](auto& f) { return (f.queueFlags & VK_QUEUE_COMPUTE_BIT) != 0; });
    if (computes == families.end()) {
        info.missing.emplace_back("a compute queue");
    } else {
        d.queue_family = static_cast<std::uint32_t>(computes - families.begin());
        if (computes->timestampValidBits) {
            d.timestamp_period = limits.timestampPeriod;
            d.timestamp_mask = ~std::uint64_t{0} >> (64 - computes->timestampValidBits);
        }
    }
    return d;
}

}  // namespace

std::vector<PhysicalDevice> rank_devices(const Instance& instance) {
    std::vector<PhysicalDevice> devices;
    for (VkPhysicalDevice device : instance.physical_devices())
        devices.push_back(describe(instance, device));
    std::ranges::stable_sort(devices, [](const PhysicalDevice& a, const PhysicalDevice& b) {
        return std::pair(rank(a), b.info.memory_bytes) < std::pair(rank(b), a.info.memory_bytes);
    });
    for (std::uint32_t i = 0; i < devices.size(); ++i) devices[i].info.index = i;
    return devices;
}

}  // namespace assay::vk
