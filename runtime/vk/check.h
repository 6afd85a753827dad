#pragma once
#include <vulkan/vulkan.h>

#include <string>
#include <string_view>

namespace assay::vk {

std::string result_name(VkResult result);  // "ErrorOutOfDeviceMemory"

// Throws an Error with the call and the result by name unless the call succeeded.
void check_result(VkResult result, std::string_view call);

}  // namespace assay::vk

#define check(call) ::assay::vk::check_result((call), #call)
