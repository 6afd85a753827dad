#include "grader/cli/session.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "grader/cli/terminal.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

DeviceOptions device_options(const RunOptions& options) {
    return {.select = options.device,
            .validation = ASSAY_VALIDATION,
            .pipeline_cache_folder =
                options.keep_pipelines ? default_cache_folder() : std::filesystem::path()};
}

void say(const RunOptions& options, const std::string& line) {
    if (!options.quiet) std::fprintf(stderr, "%s\n", line.c_str());
}

MemoryPlan checked_plan(const Checkpoint& checkpoint, const EngineOptions& options,
                        const Device& device) {
    const MemoryPlan plan = plan_memory(checkpoint, options, device.info(), device.free_bytes());
    require_fit(plan, options, device.info());
    return plan;
}

}  // namespace

Session::Session(const RunOptions& options, Checkpoint checkpoint)
    : checkpoint_(std::move(checkpoint)),
      device_(device_options(options)),
      open_seconds_(opening_.seconds()),
      engine_options_{.kv = options.kv,
                      .context = choose_context(checkpoint_.config(), options.context),
                      .profile = options.profile},
      plan_(checked_plan(checkpoint_, engine_options_, device_)),
      model_(checkpoint_.config(), load(options)),
      engine_(device_, model_, engine_options_) {}

Weights Session::load(const RunOptions& options) {
    if (options.model == "demo")
        say(options,
            "demo: a small model (3.7 million parameters) trained on synthetic items. It "
            "recognises filler, refusals and gibberish; it is not a judge.");
    const DeviceInfo& info = device_.info();
    if (info.is_cpu)
        say(options, std::string(options.device.empty() ? "no GPU found: " : "") + "running on " +
                         info.name + ", a CPU implementation of Vulkan");

    Progress progress(options.quiet);
    const Stopwatch watch;
    Weights weights = load_weights(
        device_, checkpoint_, engine_options_.context,
        [&](std::uint64_t done, std::uint64_t total) {
            const double seconds = std::max(watch.seconds(), 1e-3);
            progress.update(
                static_cast<double>(done) / static_cast<double>(std::max<std::uint64_t>(total, 1)),
                "loading " + bytes_text(done) + " of " + bytes_text(total) + ", " +
                    bytes_text(static_cast<std::uint64_t>(static_cast<double>(done) / seconds)) +
                    "/s");
        });
    load_seconds_ = watch.seconds();
    return weights;
}

void Session::finish() {
    const auto messages = device_.take_validation_messages();
    if (!messages.empty())
        throw Error("Vulkan validation: " + std::to_string(messages.size()) +
                    " messages, the first: " + messages.front());
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
