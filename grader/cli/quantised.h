#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>

#include "grader/cli/options.h"
#include "model/quantise_model.h"

namespace assay::cli {

// --quantize and --quantize-cache, for commands that load a model.
void add_quantize_options(CLI::App& command, RunOptions& options);

// Where the model to load lies: where --model says, or a copy of that in the format that --quantize
// asks for. The copy is made once and found again while the model's files stay as they are.
std::filesystem::path model_path(const RunOptions& options);

// Names of what a model can be quantised to, each with its bits per weight if asked for.
std::string type_list(bool with_bits);
CLI::Validator a_type();  // one of them

// quantise_model with a bar.
QuantisedModel quantise_with_progress(const Checkpoint& from, const std::filesystem::path& to,
                                      const Mix& mix, const QuantiseOptions& options, bool quiet);

}  // namespace assay::cli
