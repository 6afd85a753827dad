#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grader/cli/eval_options.h"
#include "model/merge/merge.h"

namespace assay::cli {

enum class Keep { all, best, none };  // of the models of a sweep that are evaluated

// What `assay merge` is told.
struct MergeArguments {
    std::string config, to, rescale, lora_rounding = "once", random_numbers = "counter", type,
                                     compat = "mergekit", sweep;
    std::optional<double> p, lambda;  // of a list of models
    std::vector<std::string> allowed;
    double shard_gigabytes = 5;
    std::uint32_t threads = 1;
    bool precise = false, fuse_experts = false, no_hashes = false, json = false, quiet = false,
         seed_given = false;

    EvalOptions eval;  // of a sweep: without a benchmark, nothing is evaluated; seed: of masks too
    Keep keep = Keep::all;
    // The options of --eval that were given, by name, and what they were given.
    std::vector<std::pair<std::string, std::vector<std::string>>> eval_given;
};

void add_merge_options(CLI::App& command, MergeArguments& arguments);
// What add_merge_options() leaves to find out once all are read.
void finish(const CLI::App& command, MergeArguments& arguments);

// Throws a UsageError where options contradict each other.
void check(const MergeArguments& arguments);

MergeOptions merge_options(const MergeArguments& arguments);

// The configuration `text`. Throws a UsageError where options contradict it.
MergeConfig parse_config(const MergeArguments& arguments, const std::string& text);

// The text of the file of the configuration; of a list of models the configuration it stands for.
std::string read_config(const MergeArguments& arguments);

}  // namespace assay::cli
