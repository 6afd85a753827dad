#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "grader/cli/items.h"
#include "grader/cli/options.h"
#include "grader/grader.h"
#include "grader/item.h"
#include "grader/journal.h"
#include "model/checkpoint.h"

namespace assay::cli {

// What `assay grade` is told.
struct GradeOptions {
    RunOptions run;
    ItemOptions items;
    std::string input, output;
    std::optional<std::string> instruction, response, response_b, reference;  // of a single item
    std::string parser{name(Parser::compat)};
    std::optional<float> temperature, top_p, min_p, repetition_penalty;
    std::optional<std::uint32_t> top_k, max_new_tokens;
    std::uint64_t seed = 0;
    std::uint32_t samples = 1;
    Orders orders = Orders::both;
    TooLong too_long = TooLong::refuse;
    std::string scale{own_scale};
    std::optional<int> pass_at;  // of --scale
    bool verdict_only = false;
    std::string calibration;  // a file of assay calibrate; empty: none
    bool retry_unscored = false;
    std::string best, summary;  // files that are written at the end
    std::string trace;          // where --gpu-profile puts it
    bool plan = false;          // tell what grading would take, and grade nothing
    bool force = false, json = false, text = false;

    bool single() const { return instruction || response || response_b || reference; }
    bool to_file() const { return !output.empty() && output != "-"; }
};

void add_grade_options(CLI::App& command, GradeOptions& options);
// Those of them that other commands share.
void add_judging_options(CLI::App& command, GradeOptions& options);  // what the judge does
void add_record_options(CLI::App& command, GradeOptions& options);   // -o and what goes with it
void add_engine_options(CLI::App& command, GradeOptions& options);   // devices, memory
void add_sampling_options(CLI::App& command, GradeOptions& options);
void add_too_long_option(CLI::App& command, TooLong& policy);  // which add_judging_options adds too

// Throws a UsageError where options contradict each other.
void check(const GradeOptions& options);

// The item that options describe. Throws an Error if its rubric does not serve it.
Item single_item(const GradeOptions& options, const ItemDefaults& defaults);

GraderOptions grader_options(const GradeOptions& options, const Checkpoint& checkpoint);

// Everything that decides what a record says, but the item: the header of a journal. The hash of
// the model is left out as long as the judge has none.
Journal::Settings settings_of(const GradeOptions& options, const GraderOptions& grading,
                              const Checkpoint& checkpoint);

}  // namespace assay::cli
