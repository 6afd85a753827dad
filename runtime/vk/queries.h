#pragma once
#include <vulkan/vulkan.h>

#include <cstdint>
#include <vector>

#include "runtime/vk/check.h"

namespace assay::vk {

template <class T>
T structure(VkStructureType type) {
    T made{};
    made.sType = type;
    return made;
}

// What a device says of itself in a structure beside its core properties.
template <class Properties>
Properties properties_of(VkPhysicalDevice device, VkStructureType type) {
    auto beside = structure<Properties>(type);
    auto properties =
        structure<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
    properties.pNext = &beside;
    vkGetPhysicalDeviceProperties2(device, &properties);
    return beside;
}

// All that a function lists of something: it tells how many there are, then fills as many of
// `each`. None if the function is null. Throws an Error that gives its name.
template <class Listed, class List, class... Of>
std::vector<Listed> list_all(const char* name, const Listed& each, List list, Of... of) {
    if (!list) return {};
    std::uint32_t count = 0;
    check_result(list(of..., &count, nullptr), name);
    std::vector<Listed> all(count, each);
    check_result(list(of..., &count, all.data()), name);
    return all;
}

}  // namespace assay::vk
