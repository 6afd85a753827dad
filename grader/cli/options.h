#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/kv_cache.h"

namespace assay::cli {

// Validators for Option::check(). Numbers must be finite.
CLI::Validator number_from(double least);
CLI::Validator number_between(double least, double most);
CLI::Validator integer_between(std::uint64_t least, std::uint64_t most);  // decimal digits alone
CLI::Validator one_of(std::vector<std::string> names);

// What most commands that run a model share.
struct RunOptions {
    std::string model;
    std::string quantize, quantize_cache;  // "": the model as it is; the user's cache folder
    std::vector<std::string> devices;      // as --device takes them; none: the fastest
    std::vector<Tier> disabled;            // go without these
    bool experts_on_host = false;
    std::uint32_t context = 0;  // 0: what the model takes, at most default_context
    // Texts written at once; 0: as many as suit the device, with what memory it has for them.
    std::uint32_t sequences = 1;
    std::uint64_t kv_memory = 0;  // most bytes of KV cache on a device; 0: no such bound
    bool batch_invariant = false;
    bool int8_activations = false;
    bool speculate = true;
    Cache kv = Cache::f16;
    bool profile = false;
    bool quiet = false;
    bool keep_pipelines = true;  // in the user's cache folder
    bool tuned = true;           // go by measurements of matrix products, see grader/cli/tuning.h
};
constexpr std::uint32_t default_context = 4096;
constexpr std::uint32_t most_tokens = 1 << 24;  // that an option takes

// --model, required.
CLI::Option* add_model_option(CLI::App& command, std::string& model);
void add_disable_option(CLI::App& command, std::vector<Tier>& disabled);
void add_tune_option(CLI::App& command, bool& tuned);
// --device, --devices, --disable, --no-tune and --experts-on.
void add_device_options(CLI::App& command, RunOptions& options);
void add_kv_option(CLI::App& command, Cache& kv);
void add_activations_option(CLI::App& command, bool& int8_activations);
std::string_view activations_name(bool int8_activations);  // as that option takes it
void add_context_option(CLI::App& command, std::uint32_t& context);
void add_json_flag(CLI::App& command, bool& json);
void add_quiet_flag(CLI::App& command, bool& quiet);

}  // namespace assay::cli
