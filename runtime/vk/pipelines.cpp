#include "runtime/vk/pipelines.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <sstream>
#include <system_error>

#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/vk/check.h"
#include "runtime/vk/context.h"
#include "runtime/vk/queries.h"

namespace assay::vk {
namespace {

template <class T, std::size_t count>
std::string_view bytes_of(std::span<T, count> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::uint64_t cache_key(VkPhysicalDevice device, std::span<const Spirv> table) {
    const auto id = properties_of<VkPhysicalDeviceIDProperties>(
        device, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES);
    VkPhysicalDeviceProperties properties{};
    vkGetPhysicalDeviceProperties(device, &properties);

    std::uint64_t hash = fnv1a(bytes_of(std::span(id.deviceUUID)));
    hash = fnv1a(bytes_of(std::span(id.driverUUID)), hash);
    hash = fnv1a(bytes_of(std::span(properties.pipelineCacheUUID)), hash);
    for (const Spirv& kernel : table) hash = fnv1a(bytes_of(kernel.words), hash);
    return hash;
}

// What a device was opened for, and how: a kernel of a tier that is off must not be built.
std::uint64_t purpose_key(const Context& context) {
    std::string how = std::to_string(context.physical().info.subgroup_size);
    for (const TierState& tier : context.physical().info.tiers) how += tier.on ? " on" : " off";
    return fnv1a(how, fnv1a(context.options().purpose));
}

std::string hexadecimal(std::uint64_t number) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number));
    return digits;
}

// Written beside its place and renamed, so that no reader meets half a file. What can't be kept is
// no failure.
void replace_file(const std::filesystem::path& file, std::span<const char> data) {
    std::error_code ignored;
    std::filesystem::create_directories(file.parent_path(), ignored);
    const auto unique = std::chrono::steady_clock::now().time_since_epoch().count();
    const std::filesystem::path temporary = file.string() + "." + std::to_string(unique);
    std::ofstream out(temporary, std::ios::binary);
    out.write(data.data(), static_cast<std::streamsize>(data.size())).flush();
    std::error_code failed;
    if (out) std::filesystem::rename(temporary, file, failed);
    if (!out || failed) std::filesystem::remove(temporary, ignored);
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::size_t Pipelines::KeyHash::operator()(const Key& key) const {
    const std::span constants(key.constants.values.data(), key.constants.count);
    return fnv1a(bytes_of(constants), fnv1a(bytes_of(std::span(&key.kernel, 1))));
}

Pipelines::Pipelines(Context& context)
    : context_(context),
      table_(context.options().bound_kernels.empty() ? all_kernels()
                                                     : context.options().bound_kernels) {
    const auto& folder = context.options().pipeline_cache_folder;
    std::string saved;
    if (!folder.empty()) {
        const std::string name =
            "pipelines-" + hexadecimal(cache_key(context.physical().device, table_));
        file_ = folder / (name + ".bin");
        if (!context.options().purpose.empty())
            expected_file_ = folder / (name + "-" + hexadecimal(purpose_key(context)) + ".txt");
        saved = read_file(file_);  // a driver checks the header and ignores what is not its own
    }
    const VkPipelineCacheCreateInfo cache{.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                          .pNext = nullptr,
                                          .flags = 0,
                                          .initialDataSize = saved.size(),
                                          .pInitialData = saved.data()};
    check(vkCreatePipelineCache(context.device(), &cache, nullptr, &cache_));

    if (!context.options().bound_kernels.empty()) {
        std::vector<VkDescriptorSetLayoutBinding> bindings;
        for (std::uint32_t i = 0; i < max_bindings; ++i)
            bindings.push_back(
                {i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr});
        const VkDescriptorSetLayoutCreateInfo set{
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .pNext = nullptr,
            .flags = 0,
            .bindingCount = max_bindings,
            .pBindings = bindings.data()};
        check(vkCreateDescriptorSetLayout(context.device(), &set, nullptr, &bindings_));
    }
    const VkPushConstantRange push{VK_SHADER_STAGE_COMPUTE_BIT, 0, 128};
    const VkPipelineLayoutCreateInfo layout{.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                            .pNext = nullptr,
                                            .flags = 0,
                                            .setLayoutCount = bindings_ ? 1u : 0u,
                                            .pSetLayouts = &bindings_,
                                            .pushConstantRangeCount = 1,
                                            .pPushConstantRanges = &push};
    check(vkCreatePipelineLayout(context.device(), &layout, nullptr, &layout_));

    expected_ = read_expected();
    // Several, since a first step waits for nearly all of them.
    const std::size_t most = std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
    try {
        for (std::size_t i = 0; i < std::min(most, expected_.size()); ++i)
            builders_.emplace_back([this](const std::stop_token& stop) { build_expected(stop); });
    } catch (const std::system_error&) {
        // There are no threads to be had: each is built when it is used.
    }
}

Pipelines::~Pipelines() {
    for (std::jthread& builder : builders_) builder.request_stop();
    builders_.clear();  // waits for them
    save();
    save_expected();
    for (auto& [key, entry] : entries_)
        vkDestroyPipeline(context_.device(), entry.pipeline, nullptr);
    vkDestroyPipelineLayout(context_.device(), layout_, nullptr);
    if (bindings_) vkDestroyDescriptorSetLayout(context_.device(), bindings_, nullptr);
    vkDestroyPipelineCache(context_.device(), cache_, nullptr);
}

VkPipeline Pipelines::get(std::uint16_t kernel, const Constants& constants) {
    const Key key{kernel, constants};
    std::unique_lock lock(mutex_);
    Entry& entry = entries_[key];
    if (!entry.used) used_.push_back(key);
    entry.used = true;
    if (entry.pipeline) return entry.pipeline;
    const auto start = std::chrono::steady_clock::now();
    VkPipeline pipeline = built(key, entry, lock);
    compile_seconds_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return pipeline;
}

VkPipeline Pipelines::built(const Key& key, Entry& entry, std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [&] { return !entry.in_work; });
    if (entry.pipeline) return entry.pipeline;
    entry.in_work = true;
    lock.unlock();
    VkPipeline pipeline = nullptr;
    std::exception_ptr failed;
    try {
        pipeline = build(key);
    } catch (...) {
        failed = std::current_exception();
    }
    lock.lock();
    entry.pipeline = pipeline;
    entry.in_work = false;
    changed_.notify_all();
    if (failed) std::rethrow_exception(failed);
    return pipeline;
}

void Pipelines::build_expected(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (next_expected_ < expected_.size() && !stop.stop_requested()) {
        const Key& key = expected_[next_expected_++];
        try {
            built(key, entries_[key], lock);
        } catch (...) {
            // Whoever uses it is told.
        }
    }
}

VkPipeline Pipelines::find(std::string_view kernel, const Constants& constants) const {
    const auto place = std::ranges::find(table_, kernel, &Spirv::name) - table_.begin();
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find({static_cast<std::uint16_t>(place), constants});
    return found == entries_.end() ? nullptr : found->second.pipeline;
}

double Pipelines::compile_seconds() const {
    const std::lock_guard lock(mutex_);
    return compile_seconds_;
}

VkPipeline Pipelines::build(const Key& key) {
    const Spirv& spirv = table_[key.kernel];
    const VkShaderModuleCreateInfo module_info{.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                               .pNext = nullptr,
                                               .flags = 0,
                                               .codeSize = spirv.words.size_bytes(),
                                               .pCode = spirv.words.data()};
    VkShaderModule module = nullptr;
    check(vkCreateShaderModule(context_.device(), &module_info, nullptr, &module));

    std::vector<VkSpecializationMapEntry> entries;
    for (std::uint32_t i = 0; i < key.constants.count; ++i) entries.push_back({i, i * 4, 4});
    const VkSpecializationInfo specialization{key.constants.count, entries.data(),
                                              key.constants.count * 4, key.constants.values.data()};
    // Constant 0 is the workgroup size wherever it may differ.
    const bool full_subgroups =
        key.constants.count == 0 ||
        key.constants.values[0] % context_.physical().info.subgroup_size == 0;
    // Kernels are laid out for one subgroup size; where the device may choose among several it is
    // told which.
    const bool several_sizes =
        context_.physical().least_subgroup != context_.physical().most_subgroup;
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup{
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .pNext = nullptr,
        .requiredSubgroupSize = context_.physical().info.subgroup_size};
    const VkComputePipelineCreateInfo create{
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .pNext = nullptr,
        .flags = context_.captures_statistics()
                     ? VkPipelineCreateFlags{VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR}
                     : 0u,
        .stage =
            {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
             .pNext = several_sizes ? &subgroup : nullptr,
             .flags =
                 full_subgroups
                     ? VkPipelineShaderStageCreateFlags{VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT}
                     : 0u,
             .stage = VK_SHADER_STAGE_COMPUTE_BIT,
             .module = module,
             .pName = "main",
             .pSpecializationInfo = &specialization},
        .layout = layout_,
        .basePipelineHandle = nullptr,
        .basePipelineIndex = 0};
    VkPipeline pipeline = nullptr;
    const VkResult result =
        vkCreateComputePipelines(context_.device(), cache_, 1, &create, nullptr, &pipeline);
    vkDestroyShaderModule(context_.device(), module, nullptr);
    check_result(result, std::string("vkCreateComputePipelines for ") + std::string(spirv.name));
    context_.name_object(VK_OBJECT_TYPE_PIPELINE, reinterpret_cast<std::uint64_t>(pipeline),
                         spirv.name);
    return pipeline;
}

void Pipelines::save() const {
    if (file_.empty() || entries_.empty()) return;
    std::size_t bytes = 0;
    if (vkGetPipelineCacheData(context_.device(), cache_, &bytes, nullptr) != VK_SUCCESS) return;
    std::string data(bytes, '\0');
    if (vkGetPipelineCacheData(context_.device(), cache_, &bytes, data.data()) != VK_SUCCESS)
        return;
    data.resize(bytes);
    if (read_file(file_) != data) replace_file(file_, data);
}

// A line for each: the kernel's index, how many constants it is given, these. Above them their
// hash, since a driver may not survive the constants of a damaged file.
std::vector<Pipelines::Key> Pipelines::read_expected() const {
    std::istringstream in(read_file(expected_file_));
    std::string hash;
    std::getline(in, hash);
    if (hash != hexadecimal(fnv1a(in.view().substr(std::min(hash.size() + 1, in.view().size())))))
        return {};
    std::vector<Key> keys;
    for (Key key{}; in >> key.kernel >> key.constants.count; keys.push_back(key)) {
        if (key.kernel >= table_.size() || key.constants.count > key.constants.values.size()) break;
        key.constants.values = {};
        for (std::uint32_t i = 0; i < key.constants.count; ++i) in >> key.constants.values[i];
    }
    return keys;
}

// Those used this time, and behind them others that were once: a short use forgets none of a long
// one.
void Pipelines::save_expected() const {
    if (expected_file_.empty() || used_.empty()) return;
    constexpr std::size_t most = 128;  // that are worth building: a model takes some tens
    std::vector<Key> keys = used_;
    for (const Key& key : expected_)
        if (keys.size() < most && std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
    if (keys == expected_) return;
    std::ostringstream lines;
    for (const Key& key : keys) {
        lines << key.kernel << ' ' << key.constants.count;
        for (std::uint32_t i = 0; i < key.constants.count; ++i)
            lines << ' ' << key.constants.values[i];
        lines << '\n';
    }
    replace_file(expected_file_, hexadecimal(fnv1a(lines.view())) + '\n' + lines.str());
}

}  // namespace assay::vk
