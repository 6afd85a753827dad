#pragma once
#include <filesystem>
#include <memory>
#include <vector>

#include "bench/kernels/tune.h"
#include "grader/cli/options.h"
#include "model/checkpoint.h"
#include "runtime/device.h"

// How matrix products are computed fastest on a device: measured once and kept in the user's cache
// folder (see runtime/ops/tuning.h).
namespace assay::cli {

std::filesystem::path tuning_file(const Device& device);

// Goes by what is kept of the device. A file that cannot be used is one line on standard error.
void use_stored_tuning(Device& device);

// What is kept with what was found now in place of what was known of the same products.
// Throws an Error if it cannot be written.
ops::Tuning store_tuning(const Device& device, const bench::TuneOptions& options,
                         const bench::TuneReport& report);

// The products of a model: their shapes, of `shape`, which outlives the options, and formats.
bench::ModelShape shape_of(const Config& config);
bench::TuneOptions tune_options(const Checkpoint& checkpoint, const bench::ModelShape& shape);

// Measures the products of the model on every kind of GPU where their formats were never tried,
// which takes a minute each, unless the options forbid it, go by no measurements or disable a tier.
// Says so on standard error.
void tune_on_first_use(const RunOptions& options, const Checkpoint& checkpoint,
                       const std::vector<std::unique_ptr<Device>>& devices);

}  // namespace assay::cli
