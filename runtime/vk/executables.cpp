#include "runtime/executables.h"

#include "runtime/vk/context.h"
#include "runtime/vk/queries.h"

namespace assay {
namespace {

// The functions of VK_KHR_pipeline_executable_properties for one pipeline.
class Pipeline {
public:
    Pipeline(vk::Context& context, VkPipeline pipeline)
        : device_(context.device()), pipeline_(pipeline) {
        load("vkGetPipelineExecutablePropertiesKHR", properties_);
        load("vkGetPipelineExecutableStatisticsKHR", statistics_);
    }

    std::vector<VkPipelineExecutablePropertiesKHR> properties() const {
        const VkPipelineInfoKHR info{VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, nullptr, pipeline_};
        const auto each = vk::structure<VkPipelineExecutablePropertiesKHR>(
            VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR);
        return vk::list_all("vkGetPipelineExecutablePropertiesKHR", each, properties_, device_,
                            &info);
    }

    std::vector<VkPipelineExecutableStatisticKHR> statistics(std::uint32_t index) const {
        const VkPipelineExecutableInfoKHR info{VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                               nullptr, pipeline_, index};
        const auto each = vk::structure<VkPipelineExecutableStatisticKHR>(
            VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR);
        return vk::list_all("vkGetPipelineExecutableStatisticsKHR", each, statistics_, device_,
                            &info);
    }

private:
    template <class Function>
    void load(const char* name, Function& function) {
        function = reinterpret_cast<Function>(vkGetDeviceProcAddr(device_, name));
    }

    VkDevice device_;
    VkPipeline pipeline_;
    PFN_vkGetPipelineExecutablePropertiesKHR properties_ = nullptr;
    PFN_vkGetPipelineExecutableStatisticsKHR statistics_ = nullptr;
};

ExecutableStatistic statistic(const VkPipelineExecutableStatisticKHR& told) {
    switch (told.format) {
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
            return {told.name, told.value.b32 != 0};
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
            return {told.name, told.value.i64};
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
            return {told.name, told.value.f64};
        default:
            return {told.name, told.value.u64};
    }
}

}  // namespace

std::vector<Executable> executables(Device& device, std::string_view kernel,
                                    const Constants& constants) {
    vk::Context& context = device.context();
    if (!context.captures_statistics()) return {};
    VkPipeline built = context.pipelines().find(kernel, constants);
    if (!built) return {};
    const Pipeline pipeline(context, built);
    std::vector<Executable> all;
    for (const VkPipelineExecutablePropertiesKHR& told : pipeline.properties()) {
        Executable& executable = all.emplace_back();
        executable.name = told.name;
        executable.subgroup_size = told.subgroupSize;
        for (const auto& one : pipeline.statistics(static_cast<std::uint32_t>(all.size() - 1)))
            executable.statistics.push_back(statistic(one));
    }
    return all;
}

}  // namespace assay
