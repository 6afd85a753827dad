#pragma once
#include <vulkan/vulkan.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/vk/kernel.h"

namespace assay::vk {

class Context;

// The pipelines of a device: built on first use, or, if they were used before when the device was
// opened for the same (DeviceOptions::purpose), from the beginning, by threads of their own. Kept
// in a cache file keyed by device, driver and kernels. Any thread may call.
class Pipelines {
public:
    explicit Pipelines(Context& context);
    ~Pipelines();
    Pipelines(const Pipelines&) = delete;
    Pipelines& operator=(const Pipelines&) = delete;

    const Spirv& kernel(std::uint16_t index) const { return table_[index]; }
    VkPipelineLayout layout() const { return layout_; }
    VkDescriptorSetLayout bindings() const {
        return bindings_;
    }  // null where buffers are reached by address
    VkPipeline get(std::uint16_t kernel, const Constants& constants);
    // Null unless it was built.
    VkPipeline find(std::string_view kernel, const Constants& constants) const;
    double compile_seconds() const;  // that callers waited for

private:
    struct Key {
        std::uint16_t kernel;
        Constants constants;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    struct Entry {
        VkPipeline pipeline = nullptr;
        bool in_work = false;  // some thread builds it
        bool used = false;
    };
    // The entry's pipeline, built if need be. The lock, held, is let go of meanwhile.
    VkPipeline built(const Key& key, Entry& entry, std::unique_lock<std::mutex>& lock);
    VkPipeline build(const Key& key);
    void build_expected(const std::stop_token& stop);
    std::vector<Key> read_expected() const;
    void save_expected() const;
    void save() const;

    Context& context_;
    std::span<const Spirv> table_;
    std::filesystem::path file_;           // empty: not kept
    std::filesystem::path expected_file_;  // empty: nothing is expected
    std::vector<Key> expected_;            // to be used, in that order
    VkPipelineCache cache_ = nullptr;
    VkDescriptorSetLayout bindings_ = nullptr;
    VkPipelineLayout layout_ = nullptr;
    mutable std::mutex mutex_;  // of all that follows
    std::condition_variable changed_;
    std::size_t next_expected_ = 0;
    std::unordered_map<Key, Entry, KeyHash> entries_;
    std::vector<Key> used_;  // in the order of their first use
    double compile_seconds_ = 0;
    std::vector<std::jthread> builders_;
};

// The most buffers a kernel may name.
constexpr std::uint32_t max_bindings = 12;

}  // namespace assay::vk
