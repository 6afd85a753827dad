#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "model/merge/config.h"
#include "model/merge/masks.h"
#include "model/merge/plan.h"
#include "model/merge/source.h"

namespace assay {

struct MergeOptions {
    PlanOptions plan;
    SourceOptions source;
    std::uint64_t seed = 0;
    bool numpy_draws = false;  // as the supermario script draws its masks after seeding numpy
    Masks* masks = nullptr;    // to be used in place of drawn ones
    std::uint64_t shard_bytes = 5'000'000'000;
    std::uint32_t threads = 1;
    bool hash_inputs = true;           // for the provenance file
    std::filesystem::path hash_cache;  // as Fingerprint has it
    std::string version;               // of the program, for the provenance file
};

struct MergedFolder {
    std::uint64_t tensors = 0, shards = 0, bytes_read = 0, bytes = 0;
    std::string model, tokenizer;       // whose configuration, and whose tokenizer it has
    nlohmann::ordered_json provenance;  // what assay_merge.json says
};

// Called from one thread at a time with bytes of the inputs that are merged, and all of them.
using MergeProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Merges models into a new Hugging Face directory: safetensors, configuration and tokenizer, the
// merge's configuration (mergekit_config.yml) and where it comes from (assay_merge.json). One
// tensor at a time is in memory, beside what the system caches of files. The result depends neither
// on `threads` nor on shards. Nothing is at `to` if it fails. Throws Error of one line.
MergedFolder merge_models(const MergeConfig& config, const std::filesystem::path& to,
                          const MergeOptions& options, const MergeProgress& progress = nullptr);

// What assay_merge.json says of a merge, without merging: two merges of which it says the same are
// the same, if inputs are hashed. Throws Error as merge_models does.
nlohmann::ordered_json merge_provenance(const MergeConfig& config, const MergeOptions& options);

}  // namespace assay
