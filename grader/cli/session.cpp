#include "grader/cli/session.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "grader/cli/terminal.h"
#include "grader/cli/tuning.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

void say(const RunOptions& options, const std::string& line) {
    if (!options.quiet) std::fprintf(stderr, "%s\n", line.c_str());
}

void say_if_int8_changes_nothing(const RunOptions& options, const Checkpoint& checkpoint) {
    std::string formats;
    for (const auto& [format, bytes] : checkpoint.bytes_by_format()) {
        if (info(format).integers) return;
        formats += (formats.empty() ? "" : ", ") + std::string(info(format).name);
    }
    say(options, "--activations int8 changes nothing: " + checkpoint.path().string() + " is in " +
                     formats + ", and only weights of whole numbers are multiplied by bytes");
}

std::vector<MemoryPlan> checked_plans(const Checkpoint& checkpoint, const EngineOptions& options,
                                      const std::vector<std::unique_ptr<Device>>& devices,
                                      bool experts_on_host) {
    const std::vector<Place> places = places_of(devices);
    auto plans = plan_memory(checkpoint, options, places, experts_on_host);
    require_fit(plans, options, places);
    return plans;
}

std::vector<Stage> stages_of(const std::vector<std::unique_ptr<Device>>& devices,
                             const std::vector<Mistral>& models,
                             const std::vector<MemoryPlan>& plans) {
    std::vector<Stage> stages;
    for (std::size_t i = 0; i < devices.size(); ++i)
        stages.push_back({*devices[i], models[i], plans[i].share});
    return stages;
}

}  // namespace

Session::Session(const RunOptions& options, Checkpoint checkpoint)
    : checkpoint_(std::move(checkpoint)),
      devices_(open_devices(options, options.model)),
      open_seconds_(opening_.seconds()),
      engine_options_(engine_options(options, checkpoint_, places_of(devices_))),
      plans_(checked_plans(checkpoint_, engine_options_, devices_, options.experts_on_host)),
      models_(load(options)),
      engine_(stages_of(devices_, models_, plans_), engine_options_) {}

std::vector<Mistral> Session::load(const RunOptions& options) {
    if (options.model == "demo")
        say(options,
            "demo: a small model (3.7 million parameters) trained on synthetic items. It "
            "recognises filler, refusals and gibberish; it is not a judge.");
    const DeviceInfo& info = devices_.front()->info();
    if (info.is_cpu)
        say(options, std::string(options.devices.empty() ? "no GPU found: " : "") + "running on " +
                         info.name + ", a CPU implementation of Vulkan");

    if (options.int8_activations) say_if_int8_changes_nothing(options, checkpoint_);
    tune_on_first_use(options, checkpoint_, devices_);
    Progress progress(options.quiet);
    const Stopwatch watch;
    std::vector<Mistral> models;
    models.reserve(devices_.size());
    for (std::size_t i = 0; i < devices_.size(); ++i) {
        const auto show = [&](std::uint64_t done, std::uint64_t total) {
            const double seconds = std::max(watch.seconds(), 1e-3);
            progress.update(
                (static_cast<double>(i) +
                 static_cast<double>(done) /
                     static_cast<double>(std::max<std::uint64_t>(total, 1))) /
                    static_cast<double>(devices_.size()),
                "loading " + bytes_text(done) + " of " + bytes_text(total) + ", " +
                    bytes_text(static_cast<std::uint64_t>(static_cast<double>(done) / seconds)) +
                    "/s");
        };
        models.emplace_back(checkpoint_.config(),
                            load_weights(*devices_[i], checkpoint_, engine_options_.context,
                                         plans_[i].share, show));
    }
    load_seconds_ = watch.seconds();
    return models;
}

void Session::finish() {
    for (const auto& device : devices_) {
        const auto messages = device->take_validation_messages();
        if (!messages.empty())
            throw Error("Vulkan validation: " + std::to_string(messages.size()) +
                        " messages, the first: " + messages.front());
    }
}

namespace {

// Before the device is full, so that a step need not.
void prove(Device& device, const RunOptions& options) {
    for (std::size_t i = 0; i < tier_count; ++i) {
        const auto tier = static_cast<Tier>(i);
        if (device.info().tier(tier).on && !device.has(tier))
            say(options, device.info().name + ": goes without " + std::string(name(tier)) + ": " +
                             device.info().tier(tier).note);
    }
}

void require_bytes(Device& device) {
    if (!device.has(Tier::dot))
        throw Error(device.info().name +
                    ": cannot take --activations int8: " + device.info().tier(Tier::dot).note);
}

}  // namespace

std::vector<std::unique_ptr<Device>> open_devices(const RunOptions& options,
                                                  const std::string& purpose) {
    std::vector<std::string> names = options.devices;
    if (names.empty()) names.emplace_back();
    std::vector<std::unique_ptr<Device>> devices;
    for (const std::string& name : names)
        devices.push_back(std::make_unique<Device>(
            DeviceOptions{.select = name,
                          .validation = ASSAY_VALIDATION,
                          .pipeline_cache_folder = options.keep_pipelines ? default_cache_folder()
                                                                          : std::filesystem::path(),
                          .purpose = purpose,
                          .disabled = options.disabled}));
    for (const auto& device : devices) {
        if (!device->info().is_cpu) prove(*device, options);  // a CPU implementation uses none
        if (options.int8_activations) require_bytes(*device);
        if (options.tuned) use_stored_tuning(*device);
    }
    return devices;
}

std::vector<Place> places_of(const std::vector<std::unique_ptr<Device>>& devices) {
    std::vector<Place> places;
    for (const auto& device : devices) {
        const auto named = std::ranges::count_if(devices, [&](const auto& other) {
            return other->info().index == device->info().index;
        });
        places.push_back(
            {device->info(), device->free_bytes() / static_cast<std::uint64_t>(named)});
    }
    return places;
}

EngineOptions engine_options(const RunOptions& run, const Checkpoint& checkpoint,
                             const std::vector<Place>& places) {
    const EngineOptions options{.kv = run.kv,
                                .context = choose_context(checkpoint.config(), run.context),
                                .sequences = run.sequences,
                                .batch_invariant = run.batch_invariant,
                                .int8_activations = run.int8_activations,
                                .profile = run.profile};
    if (run.sequences == 1 && run.kv_memory == 0) return options;
    return fill_memory(checkpoint, options, places, run.experts_on_host, run.kv_memory);
}

std::uint32_t choose_context(const Config& config, std::uint32_t asked) {
    const std::uint32_t most = config.max_position_embeddings;
    if (asked > most)
        throw Error("a context of " + std::to_string(asked) + " tokens: the model takes at most " +
                    std::to_string(most) + " (max_position_embeddings)");
    return asked ? asked : std::min(most, default_context);
}

Judge describe_judge(const Checkpoint& checkpoint) {
    const auto bytes = checkpoint.bytes_by_format();
    const auto most =
        std::ranges::max_element(bytes, {}, [](const auto& entry) { return entry.second; });
    return {.model = checkpoint.name(), .quant = std::string(info(most->first).name)};
}

}  // namespace assay::cli
