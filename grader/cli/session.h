#pragma once
#include <memory>
#include <string>
#include <vector>

#include "grader/cli/options.h"
#include "grader/cli/quantised.h"
#include "grader/record.h"
#include "grader/stopwatch.h"
#include "model/checkpoint.h"
#include "model/engine/engine.h"
#include "model/memory_plan.h"
#include "model/mistral.h"
#include "runtime/device.h"

namespace assay::cli {

// A model on a device, ready to run. Says on standard error, unless quiet, what a user should know:
// that there is no GPU, that the demo is no judge, how loading goes.
class Session {
public:
    // Throws an Error when the model does not fit, before anything of it is loaded.
    explicit Session(const RunOptions& options)
        : Session(options, Checkpoint(model_path(options))) {}
    // Of the model of the options, already opened.
    Session(const RunOptions& options, Checkpoint checkpoint);

    const Checkpoint& checkpoint() const { return checkpoint_; }
    const Config& config() const { return checkpoint_.config(); }
    const std::vector<std::unique_ptr<Device>>& devices() const { return devices_; }
    Engine& engine() { return engine_; }
    const std::vector<Mistral>& models() const { return models_; }  // a share for each device
    // A share of the model for each device.
    const std::vector<MemoryPlan>& plans() const { return plans_; }

    double open_seconds() const { return open_seconds_; }  // of the devices
    double load_seconds() const { return load_seconds_; }  // of the weights

    // Throws an Error if the validation layers, where they are on, had something to say.
    void finish();

private:
    std::vector<Mistral> load(const RunOptions& options);

    Checkpoint checkpoint_;
    Stopwatch opening_;
    std::vector<std::unique_ptr<Device>> devices_;
    double open_seconds_;
    EngineOptions engine_options_;
    std::vector<MemoryPlan> plans_;
    double load_seconds_ = 0;
    std::vector<Mistral> models_;
    Engine engine_;
};

// The context a run has: the one asked for, else what the model takes within default_context.
// Throws an Error when the model cannot take what is asked for.
std::uint32_t choose_context(const Config& config, std::uint32_t asked);

// What the options of a run mean for its model on these devices.
EngineOptions engine_options(const RunOptions& run, const Checkpoint& checkpoint,
                             const std::vector<Place>& places);

// The devices that the options name, or the fastest. `purpose` as in DeviceOptions.
std::vector<std::unique_ptr<Device>> open_devices(const RunOptions& options,
                                                  const std::string& purpose = {});
// The devices with what each has free; of one that is named twice, half.
std::vector<Place> places_of(const std::vector<std::unique_ptr<Device>>& devices);

// What records say of a model.
Judge describe_judge(const Checkpoint& checkpoint);

}  // namespace assay::cli
