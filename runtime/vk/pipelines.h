#pragma once
#include <vulkan/vulkan.h>

#include <filesystem>
#include <string>
#include <unordered_map>

#include "runtime/vk/kernel.h"

namespace assay::vk {

class Context;

// The pipelines of a device: built on first use, kept in a cache file keyed by device, driver and
// kernels.
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
    double compile_seconds() const { return compile_seconds_; }

private:
    struct Key {
        std::uint16_t kernel;
        Constants constants;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    VkPipeline build(const Key& key);
    void save() const;

    Context& context_;
    std::span<const Spirv> table_;
    std::filesystem::path file_;  // empty: not kept
    VkPipelineCache cache_ = nullptr;
    VkDescriptorSetLayout bindings_ = nullptr;
    VkPipelineLayout layout_ = nullptr;
    std::unordered_map<Key, VkPipeline, KeyHash> pipelines_;
    double compile_seconds_ = 0;
};

// The most buffers a kernel may name.
constexpr std::uint32_t max_bindings = 12;

}  // namespace assay::vk
