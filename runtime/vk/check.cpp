#include "runtime/vk/check.h"

#include <vulkan/vulkan.hpp>

#include "runtime/error.h"

namespace assay::vk {

std::string result_name(VkResult result) {
    return ::vk::to_string(static_cast<::vk::Result>(result));
}

void check_result(VkResult result, std::string_view call) {
    if (result != VK_SUCCESS)
        throw Error(std::string(call.substr(0, call.find('('))) + ": " + result_name(result));
}

}  // namespace assay::vk
