#include "runtime/vk/recorder.h"

#include <algorithm>
#include <array>

#include "runtime/error.h"
#include "runtime/vk/check.h"

namespace assay::vk {
namespace {

constexpr double piece_seconds = 0.1;
constexpr double first_guess_per_second =
    5e9;  // a slow CPU implementation; measured from the first piece on
constexpr std::uint32_t profiled_dispatches = 2000, bound_dispatches = 256;

// One number for how long a dispatch takes: a byte costs about as much as ten operations on most
// devices.
double cost_units(Cost cost) { return cost.flops + 10 * cost.bytes + 1e4; }

}  // namespace

struct Recorder::Piece {
    VkDevice device;
    VkCommandPool pool;
    VkCommandBuffer commands = nullptr;
    VkQueryPool queries = nullptr;  // 0 and 1: the whole piece; then a pair per profiled dispatch
    VkDescriptorPool descriptors = nullptr;  // where buffers are bound
    std::uint64_t value = 0;
    double units = 0;
    std::uint32_t dispatches = 0;
    std::vector<ProfileEvent> events;

    Piece(VkDevice d, VkCommandPool p) : device(d), pool(p) {}
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;
    ~Piece() {
        if (commands) vkFreeCommandBuffers(device, pool, 1, &commands);
        vkDestroyQueryPool(device, queries, nullptr);
        vkDestroyDescriptorPool(device, descriptors, nullptr);
    }
};

Recorder::Recorder(Context& context, bool profile)
    : context_(context),
      profile_(profile && context.physical().timestamp_period > 0),
      cost_per_second_(first_guess_per_second) {
    const VkCommandPoolCreateInfo pool{.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                       .pNext = nullptr,
                                       .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                       .queueFamilyIndex = context.physical().queue_family};
    check(vkCreateCommandPool(context.device(), &pool, nullptr, &pool_));
    const VkSemaphoreTypeCreateInfo type{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                         .pNext = nullptr,
                                         .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                         .initialValue = 0};
    const VkSemaphoreCreateInfo semaphore{
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &type, .flags = 0};
    check(vkCreateSemaphore(context.device(), &semaphore, nullptr, &timeline_));
}

Recorder::~Recorder() {
    vkDeviceWaitIdle(context_.device());
    open_.reset();
    running_.clear();
    free_.clear();
    vkDestroySemaphore(context_.device(), timeline_, nullptr);
    vkDestroyCommandPool(context_.device(), pool_, nullptr);
}

Recorder::Piece& Recorder::current() {
    if (open_) return *open_;
    std::unique_ptr<Piece> piece;
    if (!free_.empty()) {
        piece = std::move(free_.back());
        free_.pop_back();
    } else {
        piece = std::make_unique<Piece>(context_.device(), pool_);
        const VkCommandBufferAllocateInfo allocate{
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .pNext = nullptr,
            .commandPool = pool_,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1};
        check(vkAllocateCommandBuffers(context_.device(), &allocate, &piece->commands));
        const VkQueryPoolCreateInfo queries{
            .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
            .pNext = nullptr,
            .flags = 0,
            .queryType = VK_QUERY_TYPE_TIMESTAMP,
            .queryCount = 2 + (profile_ ? 2 * profiled_dispatches : 0),
            .pipelineStatistics = 0};
        check(vkCreateQueryPool(context_.device(), &queries, nullptr, &piece->queries));
        if (context_.pipelines().bindings()) {
            const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            bound_dispatches * max_bindings};
            const VkDescriptorPoolCreateInfo pool{
                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                .pNext = nullptr,
                .flags = 0,
                .maxSets = bound_dispatches,
                .poolSizeCount = 1,
                .pPoolSizes = &size};
            check(vkCreateDescriptorPool(context_.device(), &pool, nullptr, &piece->descriptors));
        }
    }
    const VkCommandBufferBeginInfo begin{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                         .pNext = nullptr,
                                         .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                                         .pInheritanceInfo = nullptr};
    check(vkBeginCommandBuffer(piece->commands, &begin));
    if (context_.physical().timestamp_period > 0) {
        vkCmdResetQueryPool(piece->commands, piece->queries, 0,
                            2 + (profile_ ? 2 * profiled_dispatches : 0));
        vkCmdWriteTimestamp2(piece->commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, piece->queries,
                             0);
    }
    open_ = std::move(piece);
    return *open_;
}

void Recorder::barrier_if_due(const std::vector<MemoryAccess>& accesses) {
    if (!hazards_.barrier_before(accesses) || context_.options().omit_barriers) return;
    constexpr VkPipelineStageFlags2 stages = VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT |
                                             VK_PIPELINE_STAGE_2_COPY_BIT |
                                             VK_PIPELINE_STAGE_2_DRAW_INDIRECT_BIT;
    constexpr VkAccessFlags2 writes =
        VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT;
    constexpr VkAccessFlags2 reads = VK_ACCESS_2_SHADER_STORAGE_READ_BIT |
                                     VK_ACCESS_2_TRANSFER_READ_BIT |
                                     VK_ACCESS_2_INDIRECT_COMMAND_READ_BIT;
    const VkMemoryBarrier2 barrier{.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                                   .pNext = nullptr,
                                   .srcStageMask = stages,
                                   .srcAccessMask = writes,
                                   .dstStageMask = stages,
                                   .dstAccessMask = reads | writes};
    const VkDependencyInfo dependency{.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                      .pNext = nullptr,
                                      .dependencyFlags = 0,
                                      .memoryBarrierCount = 1,
                                      .pMemoryBarriers = &barrier,
                                      .bufferMemoryBarrierCount = 0,
                                      .pBufferMemoryBarriers = nullptr,
                                      .imageMemoryBarrierCount = 0,
                                      .pImageMemoryBarriers = nullptr};
    vkCmdPipelineBarrier2(current().commands, &dependency);
}

void Recorder::bind_buffers(Piece& piece, const Spirv& kernel,
                            const std::vector<MemoryAccess>& touched) {
    const VkDescriptorSetLayout layout = context_.pipelines().bindings();
    const VkDescriptorSetAllocateInfo allocate{
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .pNext = nullptr,
        .descriptorPool = piece.descriptors,
        .descriptorSetCount = 1,
        .pSetLayouts = &layout};
    VkDescriptorSet set = nullptr;
    check(vkAllocateDescriptorSets(context_.device(), &allocate, &set));
    std::array<VkDescriptorBufferInfo, max_bindings> buffers{};
    std::vector<VkWriteDescriptorSet> writes;
    for (std::size_t i = 0; i < touched.size(); ++i) {
        const BufferRange range = context_.find_range(touched[i].begin);
        buffers[i] = {
            range.buffer, touched[i].begin - range.begin,
            std::min(touched[i].end - touched[i].begin, context_.physical().max_storage_range)};
        writes.push_back({.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                          .pNext = nullptr,
                          .dstSet = set,
                          .dstBinding = kernel.accesses[i].binding,
                          .dstArrayElement = 0,
                          .descriptorCount = 1,
                          .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                          .pImageInfo = nullptr,
                          .pBufferInfo = &buffers[i],
                          .pTexelBufferView = nullptr});
    }
    vkUpdateDescriptorSets(context_.device(), static_cast<std::uint32_t>(writes.size()),
                           writes.data(), 0, nullptr);
    vkCmdBindDescriptorSets(piece.commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                            context_.pipelines().layout(), 0, 1, &set, 0, nullptr);
}

void Recorder::dispatch(std::uint16_t kernel, const Constants& constants,
                        std::span<const std::byte> params, const std::vector<MemoryAccess>& touched,
                        const Groups& groups, Cost cost) {
    const Grid* grid = std::get_if<Grid>(&groups);
    const auto& most = context_.physical().max_groups;
    if (grid && (grid->x > most[0] || grid->y > most[1] || grid->z > most[2]))
        throw std::logic_error(std::string(context_.pipelines().kernel(kernel).name) +
                               ": more workgroups than the device takes");

    VkPipeline pipeline = context_.pipelines().get(kernel, constants);
    Piece& piece = current();
    std::vector<MemoryAccess> accesses = touched;
    if (!grid) {
        const std::uint64_t address = std::get<std::uint64_t>(groups);
        accesses.push_back({address, address + sizeof(VkDispatchIndirectCommand), true, false});
    }
    barrier_if_due(accesses);
    const Spirv& spirv = context_.pipelines().kernel(kernel);
    vkCmdBindPipeline(piece.commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdPushConstants(piece.commands, context_.pipelines().layout(), VK_SHADER_STAGE_COMPUTE_BIT,
                       0, static_cast<std::uint32_t>(params.size()), params.data());
    if (context_.pipelines().bindings()) bind_buffers(piece, spirv, touched);

    const auto query = static_cast<std::uint32_t>(2 + 2 * piece.events.size());
    if (profile_)
        vkCmdWriteTimestamp2(piece.commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, piece.queries,
                             query);
    if (grid) {
        vkCmdDispatch(piece.commands, grid->x, grid->y, grid->z);
    } else {
        const BufferRange range = context_.find_range(accesses.back().begin);
        vkCmdDispatchIndirect(piece.commands, range.buffer, accesses.back().begin - range.begin);
    }
    if (profile_) {
        vkCmdWriteTimestamp2(piece.commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, piece.queries,
                             query + 1);
        piece.events.push_back({spirv.name, 0, 0, cost, constants});
    }
    ++piece.dispatches;
    piece.units += cost_units(cost);
    if (piece.units > piece_seconds * cost_per_second_ ||
        piece.events.size() == profiled_dispatches || piece.dispatches == bound_dispatches)
        submit();
}

void Recorder::copy(std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
    const BufferRange source = context_.find_range(from), target = context_.find_range(to);
    Piece& piece = current();
    barrier_if_due({{from, from + bytes, true, false}, {to, to + bytes, false, true}});
    const VkBufferCopy region{from - source.begin, to - target.begin, bytes};
    vkCmdCopyBuffer(piece.commands, source.buffer, target.buffer, 1, &region);
    piece.units += cost_units({.bytes = 2.0 * static_cast<double>(bytes), .flops = 0});
}

std::uint64_t Recorder::submit() {
    if (!open_) return value_;
    // Out of reach at once, so that nothing records into it again should the following fail.
    running_.push_back(std::move(open_));
    Piece& piece = *running_.back();
    // What the host reads after waiting.
    const VkMemoryBarrier2 to_host{
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
        .pNext = nullptr,
        .srcStageMask = VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_2_COPY_BIT,
        .srcAccessMask = VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT,
        .dstStageMask = VK_PIPELINE_STAGE_2_HOST_BIT,
        .dstAccessMask = VK_ACCESS_2_HOST_READ_BIT};
    const VkDependencyInfo dependency{.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                      .pNext = nullptr,
                                      .dependencyFlags = 0,
                                      .memoryBarrierCount = 1,
                                      .pMemoryBarriers = &to_host,
                                      .bufferMemoryBarrierCount = 0,
                                      .pBufferMemoryBarriers = nullptr,
                                      .imageMemoryBarrierCount = 0,
                                      .pImageMemoryBarriers = nullptr};
    vkCmdPipelineBarrier2(piece.commands, &dependency);
    if (context_.physical().timestamp_period > 0)
        vkCmdWriteTimestamp2(piece.commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, piece.queries,
                             1);
    check(vkEndCommandBuffer(piece.commands));

    piece.value = value_ + 1;
    const VkCommandBufferSubmitInfo commands{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
                                             .pNext = nullptr,
                                             .commandBuffer = piece.commands,
                                             .deviceMask = 0};
    const VkSemaphoreSubmitInfo signal{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                       .pNext = nullptr,
                                       .semaphore = timeline_,
                                       .value = piece.value,
                                       .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
                                       .deviceIndex = 0};
    const VkSubmitInfo2 info{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                             .pNext = nullptr,
                             .flags = 0,
                             .waitSemaphoreInfoCount = 0,
                             .pWaitSemaphoreInfos = nullptr,
                             .commandBufferInfoCount = 1,
                             .pCommandBufferInfos = &commands,
                             .signalSemaphoreInfoCount = 1,
                             .pSignalSemaphoreInfos = &signal};
    check(vkQueueSubmit2(context_.queue(), 1, &info, nullptr));
    return value_ = piece.value;
}

void Recorder::abandon() noexcept {
    vkDeviceWaitIdle(context_.device());
    open_.reset();
    running_.clear();
    hazards_.clear();
}

std::uint64_t Recorder::completed() const {
    std::uint64_t value = 0;
    check(vkGetSemaphoreCounterValue(context_.device(), timeline_, &value));
    return value;
}

void Recorder::wait(std::uint64_t value) {
    const VkSemaphoreWaitInfo info{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                   .pNext = nullptr,
                                   .flags = 0,
                                   .semaphoreCount = 1,
                                   .pSemaphores = &timeline_,
                                   .pValues = &value};
    check(vkWaitSemaphores(context_.device(), &info, UINT64_MAX));
    const std::uint64_t done = completed();
    auto finished =
        std::ranges::partition(running_, [=](auto& piece) { return piece->value > done; });
    std::ranges::sort(finished, {}, [](auto& piece) { return piece->value; });
    for (auto& piece : finished) {
        collect(*piece);
        free_.push_back(std::move(piece));
    }
    running_.erase(finished.begin(), finished.end());
}

// Reads a finished piece's timestamps and makes it ready to be recorded anew.
void Recorder::collect(Piece& piece) {
    const double tick = static_cast<double>(context_.physical().timestamp_period) * 1e-9;
    if (tick > 0) {
        std::vector<std::uint64_t> times(2 + 2 * piece.events.size());
        check(vkGetQueryPoolResults(
            context_.device(), piece.queries, 0, static_cast<std::uint32_t>(times.size()),
            times.size() * 8, times.data(), 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
        const std::uint64_t first = times[0];
        for (std::uint64_t& time : times)
            time = (time - first) & context_.physical().timestamp_mask;  // counters may wrap
        const double seconds = static_cast<double>(times[1]) * tick;
        if (seconds > 1e-5) cost_per_second_ = 0.5 * cost_per_second_ + 0.5 * piece.units / seconds;
        for (std::size_t i = 0; i < piece.events.size(); ++i) {
            piece.events[i].start_seconds = static_cast<double>(first + times[2 + 2 * i]) * tick;
            piece.events[i].seconds =
                static_cast<double>(times[3 + 2 * i] - times[2 + 2 * i]) * tick;
            events_.push_back(piece.events[i]);
        }
    }
    piece.events.clear();
    piece.units = 0;
    piece.dispatches = 0;
    if (piece.descriptors) check(vkResetDescriptorPool(context_.device(), piece.descriptors, 0));
    check(vkResetCommandBuffer(piece.commands, 0));
}

}  // namespace assay::vk
