#include "runtime/executables.h"

#include "runtime/vk/check.h"
#include "runtime/vk/context.h"

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
        std::uint32_t count = 0;
        check(properties_(device_, &info, &count, nullptr));
        VkPipelineExecutablePropertiesKHR empty{};
        empty.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
        std::vector<VkPipelineExecutablePropertiesKHR> all(count, empty);
        check(properties_(device_, &info, &count, all.data()));
        return all;
    }

    std::vector<VkPipelineExecutableStatisticKHR> statistics(std::uint32_t index) const {
        const VkPipelineExecutableInfoKHR info{VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                               nullptr, pipeline_, index};
        std::uint32_t count = 0;
        check(statistics_(device_, &info, &count, nullptr));
        VkPipelineExecutableStatisticKHR empty{};
        empty.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
        std::vector<VkPipelineExecutableStatisticKHR> all(count, empty);
        check(statistics_(device_, &info, &count, all.data()));
        return all;
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
