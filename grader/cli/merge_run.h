#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "grader/cli/merge_options.h"

namespace assay::cli {

// A merge that was done.
struct Merged {
    std::filesystem::path to;
    MergedFolder folder;  // which is gone if it was quantised
    std::optional<std::uint64_t> quantised_bytes;
    double seconds = 0;  // without quantising
};

// Throws an Error if something is at `to` that a merge would have to replace.
void check_target(const std::filesystem::path& to, const MergeArguments& arguments);

// Merges, and quantises what came of it if that is asked for, with a bar.
Merged merge_to(const MergeConfig& config, const std::filesystem::path& to,
                const MergeArguments& arguments);

nlohmann::ordered_json to_json(const Merged& merged, const MergeArguments& arguments);
std::string to_text(const Merged& merged, const MergeArguments& arguments);

}  // namespace assay::cli
