#pragma once
#include <chrono>
#include <string>

#include "grader/cli/options.h"
#include "grader/record.h"
#include "model/checkpoint.h"
#include "model/engine/engine.h"
#include "model/memory_plan.h"
#include "model/mistral.h"
#include "model/tokenizer.h"
#include "runtime/device.h"

namespace assay::cli {

class Stopwatch {
public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A model on a device, ready to run. Says on standard error, unless quiet, what a user should know:
// that there is no GPU, that the demo is no judge, how loading goes.
class Session {
public:
    // Throws an Error when the model does not fit, before anything of it is loaded.
    explicit Session(const RunOptions& options);

    const Checkpoint& checkpoint() const { return checkpoint_; }
    const Config& config() const { return checkpoint_.config(); }
    const Tokenizer& tokenizer() const { return tokenizer_; }
    Device& device() { return device_; }
    Engine& engine() { return engine_; }
    const MemoryPlan& plan() const { return plan_; }

    double open_seconds() const { return open_seconds_; }  // of the device
    double load_seconds() const { return load_seconds_; }  // of the weights

    // Throws an Error if the validation layers, where they are on, had something to say.
    void finish();

private:
    Weights load(const RunOptions& options);

    Checkpoint checkpoint_;
    Tokenizer tokenizer_;
    Stopwatch opening_;
    Device device_;
    double open_seconds_;
    EngineOptions engine_options_;
    MemoryPlan plan_;
    double load_seconds_ = 0;
    Mistral model_;
    Engine engine_;
};

// The context a run has: the one asked for, else what the model takes within default_context.
// Throws an Error when the model cannot take what is asked for.
std::uint32_t choose_context(const Config& config, std::uint32_t asked);

// What records say of a model.
Judge describe_judge(const Checkpoint& checkpoint);

// Bytes a second, read and written together, of copies between two buffers of device memory.
double measure_copy_rate(Device& device);

}  // namespace assay::cli
