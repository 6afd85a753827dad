#include "runtime/device.h"

#include <algorithm>
#include <cstdlib>

#include "runtime/buffer.h"
#include "runtime/codebooks.h"
#include "runtime/ops/probe.h"
#include "runtime/ops/tuning.h"
#include "runtime/vk/context.h"

namespace assay {

std::vector<DeviceInfo> list_devices() {
    const vk::Instance instance(false);
    std::vector<DeviceInfo> devices;
    for (auto& physical : vk::rank_devices(instance)) devices.push_back(physical.info);
    return devices;
}

DeviceInfo find_device(const std::string& select) {
    const vk::Instance instance(false);
    return vk::choose_device(vk::rank_devices(instance), select).info;
}

Device::Device(const DeviceOptions& options) : context_(std::make_unique<vk::Context>(options)) {}
Device::~Device() = default;

const DeviceInfo& Device::info() const { return context_->physical().info; }
std::uint64_t Device::free_bytes() const { return context_->free_bytes(); }
double Device::compile_seconds() const { return context_->pipelines().compile_seconds(); }
std::uint64_t Device::allocated_bytes() const { return context_->allocated_bytes(); }
std::uint64_t Device::peak_allocated_bytes() const { return context_->peak_allocated_bytes(); }
std::vector<std::string> Device::take_validation_messages() {
    return context_->instance().take_messages();
}

bool Device::has(Tier tier) {
    TierState& state = context_->tier(tier);
    bool& proven = proven_.at(static_cast<std::size_t>(tier));
    if (!state.on || proven) return state.on;
    proven = true;  // so that the probe may use it
    if (const auto wrong = ops::probe(*this, tier))
        state = {.on = false, .note = "its probe failed: " + *wrong};
    return state.on;
}

std::uint64_t Device::codebooks() {
    if (!codebooks_) {
        const auto words = assay::codebooks();
        codebooks_ =
            std::make_unique<Buffer>(*this, words.size_bytes(), Memory::upload, "codebooks");
        std::ranges::copy(std::as_bytes(words), codebooks_->host().begin());
    }
    return codebooks_->address();
}

const ops::Tuning& ops::tuning(Device& device) { return device.context().tuning(); }
void ops::set_tuning(Device& device, Tuning tuning) {
    device.context().tuning() = std::move(tuning);
}

std::filesystem::path default_cache_folder() {
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
        return std::filesystem::path(cache) / "assay";
    if (const char* home = std::getenv("HOME"); home && *home)
        return std::filesystem::path(home) / ".cache" / "assay";
    return std::filesystem::temp_directory_path() / "assay";
}

}  // namespace assay
