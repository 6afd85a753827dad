#include "grader/cli/merge_run.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "grader/cli/interrupt.h"
#include "grader/cli/quantised.h"
#include "grader/cli/terminal.h"
#include "grader/stopwatch.h"
#include "model/checkpoint.h"
#include "model/memory_plan.h"
#include "model/merge/output_folder.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

double gigabytes_per_second(std::uint64_t bytes, double seconds) {
    return static_cast<double>(bytes) / std::max(seconds, 1e-6) / 1e9;
}

MergedFolder merge_with_progress(const MergeConfig& config, const fs::path& to,
                                 const MergeArguments& arguments) {
    const Stopwatch watch;
    Progress progress(arguments.quiet);
    const Interruptible interruptible;
    const MergedFolder made = merge_models(
        config, to, merge_options(arguments), [&](std::uint64_t done, std::uint64_t total) {
            interruptible.check();
            char speed[40];
            std::snprintf(speed, sizeof speed, ", %.2f GB/s",
                          gigabytes_per_second(done, watch.seconds()));
            progress.update(static_cast<double>(done) / static_cast<double>(total),
                            "merging " + bytes_text(done) + " of " + bytes_text(total) + speed);
        });
    return made;
}

// What was merged is not lost if quantising fails.
std::uint64_t quantise_merged(const fs::path& merged, const fs::path& to,
                              const MergeArguments& arguments) {
    try {
        const Checkpoint checkpoint(merged);
        return quantise_with_progress(checkpoint, to, *find_mix(arguments.type),
                                      {.threads = arguments.threads}, arguments.quiet)
            .bytes;
    } catch (const Error& error) {
        const fs::path kept = to.string() + ".merged";
        std::error_code failed;
        fs::rename(merged, kept, failed);
        if (failed) throw;
        throw Error(std::string(error.what()) + "; the merged model is kept as " + kept.string());
    }
}

double speed_of(const Merged& merged) {
    return gigabytes_per_second(merged.folder.bytes_read + merged.folder.bytes, merged.seconds);
}

}  // namespace

void check_target(const fs::path& to, const MergeArguments& arguments) {
    std::error_code absent;
    if (arguments.type.empty()) return OutputFolder::check(to);
    if (to.filename().empty() || fs::exists(fs::symlink_status(to, absent)))
        throw Error(to.string() + ": " +
                    (to.filename().empty() ? "a GGUF file is written, no folder"
                                           : "is there already, a merge replaces nothing"));
}

Merged merge_to(const MergeConfig& config, const fs::path& to, const MergeArguments& arguments) {
    check_target(to, arguments);
    const Stopwatch watch;
    Merged merged{to, {}, std::nullopt, 0};
    if (arguments.type.empty()) {
        merged.folder = merge_with_progress(config, to, arguments);
        merged.seconds = watch.seconds();
        return merged;
    }
    const OutputFolder folder(to);
    const fs::path whole = folder.temporary() / "merged";
    merged.folder = merge_with_progress(config, whole, arguments);
    merged.seconds = watch.seconds();
    merged.quantised_bytes = quantise_merged(whole, to, arguments);
    return merged;
}

nlohmann::ordered_json to_json(const Merged& merged, const MergeArguments& arguments) {
    nlohmann::ordered_json json{{merged.quantised_bytes ? "file" : "folder", merged.to.string()},
                                {"tensors", merged.folder.tensors},
                                {"shards", merged.folder.shards},
                                {"bytes_read", merged.folder.bytes_read},
                                {"bytes", merged.folder.bytes},
                                {"arithmetic", arguments.precise ? "precise" : arguments.compat},
                                {"threads", arguments.threads},
                                {"seconds", merged.seconds},
                                {"gigabytes_per_second", speed_of(merged)}};
    if (merged.quantised_bytes)
        json["quantised"] = {{"type", arguments.type}, {"bytes", *merged.quantised_bytes}};
    return json;
}

std::string to_text(const Merged& merged, const MergeArguments& arguments) {
    char speed[60];
    std::snprintf(speed, sizeof speed, "%.2f GB/s read and written", speed_of(merged));
    const MergedFolder& folder = merged.folder;
    std::string text = merged.to.string() + ": " + std::to_string(folder.tensors) + " tensors, " +
                       bytes_text(folder.bytes) + " from " + bytes_text(folder.bytes_read) + "; " +
                       duration_text(merged.seconds) + ", " + speed + "\nconfiguration " +
                       (folder.tokenizer == folder.model
                            ? "and tokenizer of " + folder.model
                            : "of " + folder.model + ", tokenizer of " + folder.tokenizer) +
                       "\n";
    if (merged.quantised_bytes)
        text +=
            "quantised to " + arguments.type + ": " + bytes_text(*merged.quantised_bytes) + "\n";
    return text;
}

}  // namespace assay::cli
