#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/tiers.h"
#include "runtime/vk/kernel.h"

namespace assay {

namespace vk {
class Context;
}
class Buffer;

// What `assay devices` tells of a Vulkan device.
struct DeviceInfo {
    std::uint32_t index = 0;         // as --device takes it
    std::string name, driver, kind;  // kind: "discrete GPU", "integrated GPU", "virtual GPU", "CPU"
    std::string api_version;         // "1.3.255"
    std::string pci_address;         // "0000:01:00.0"; empty where the driver does not tell
    std::uint64_t memory_bytes = 0;  // device-local memory
    std::uint64_t memory_free_bytes = 0;
    std::uint32_t subgroup_size = 0;
    std::uint32_t max_workgroup_invocations = 0;
    std::uint32_t shared_memory_bytes = 0;
    bool is_cpu = false;               // a CPU implementation such as lavapipe
    bool unified_memory = false;       // the host reaches all device memory
    std::vector<std::string> missing;  // required features it lacks; empty if Assay can use it
    TierStates tiers;
    std::vector<MatrixShape> matrix_shapes;  // of cooperative matrices
    std::vector<MatrixSteps> matrix_steps;   // sizes of those of Tier::coopmat2
    std::uint32_t most_matrix_side = 0;      // rows, columns or terms of one of Tier::coopmat2
    bool tensor_loads = false;  // Tier::coopmat2 may be of a workgroup, read through tensor layouts

    const TierState& tier(Tier t) const { return tiers.at(static_cast<std::size_t>(t)); }
};

// Every Vulkan device, usable or not, the fastest usable one first.
std::vector<DeviceInfo> list_devices();
// That which a Device would open, `select` being as in DeviceOptions. Throws as Device does.
DeviceInfo find_device(const std::string& select);

struct DeviceOptions {
    std::string select{};     // an index or part of a name; empty: the fastest
    bool validation = false;  // core, synchronisation validation; messages are kept
    std::span<const Spirv>
        bound_kernels{};         // run these, whose buffers are bound through descriptors (tests)
    bool omit_barriers = false;  // record no barriers (a test that validation notices)
    std::uint32_t subgroup_size =
        0;  // force one, where the device offers a range; 0: the device's own
    std::filesystem::path pipeline_cache_folder{};  // empty: compiled pipelines are not kept
    // Where they are kept: what the device is opened for, say a model's path. Pipelines that were
    // used for the same before are built from the beginning, beside what the caller does.
    std::string purpose{};
    std::vector<Tier> disabled{};        // go without these
    bool executable_statistics = false;  // have drivers keep what they know of kernels, which may
                                         // cost time and memory, see executables()
};

// An opened Vulkan device with its queue, memory and pipelines. Outlives all that is made from it.
class Device {
public:
    // Throws an Error that names what is missing if no device fits.
    explicit Device(const DeviceOptions& options = {});
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    const DeviceInfo& info() const;
    // Whether kernels may use a tier. The first call tries it on a product whose exact answer is
    // known; one that fails is off from then on, and its state says what was found.
    bool has(Tier tier);
    std::uint64_t free_bytes() const;       // device-local memory the driver still offers
    double compile_seconds() const;         // that callers waited for pipelines so far
    std::uint64_t allocated_bytes() const;  // device memory held now
    std::uint64_t peak_allocated_bytes() const;

    // What the validation layers have said since the last call; always empty without validation.
    std::vector<std::string> take_validation_messages();

    // Address of the codebooks that kernels read weights with (runtime/codebooks.h), brought to the
    // device by the first call.
    std::uint64_t codebooks();

    vk::Context& context() { return *context_; }

private:
    std::unique_ptr<vk::Context> context_;
    std::unique_ptr<Buffer> codebooks_;
    std::array<bool, tier_count> proven_{};
};

// The user's cache folder for Assay: $XDG_CACHE_HOME/assay or ~/.cache/assay.
std::filesystem::path default_cache_folder();

}  // namespace assay
