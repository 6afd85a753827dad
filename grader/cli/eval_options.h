#pragma once
#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grader/cli/grade_options.h"
#include "grader/eval/benchmarks.h"
#include "grader/eval/evaluation.h"

namespace assay::cli {

// What `assay eval` is told.
struct EvalOptions {
    GradeOptions grading;
    std::string benchmark, data;  // one benchmark
    std::string suite;            // a folder of several
    std::string records;          // of an earlier run
    std::optional<eval::Protocol> protocol;
    std::optional<std::uint32_t> runs;  // texts for each score; none: runs_of() says
    std::uint32_t redraws = 5;          // of a text that states no verdict
    std::size_t first = 0;              // so many records alone; 0: all
    bool repaired = false, list = false, json = false;

    bool greedy() const;  // nothing is drawn, so that every text of a prompt is the same
    // As asked for; else the benchmark's, or one where nothing is drawn.
    std::uint32_t runs_of(const eval::Benchmark& asked) const;
};

void add_eval_options(CLI::App& command, EvalOptions& options);
// Those of them that `assay merge` shares: a benchmark by this flag and --data; how it is asked.
void add_benchmark_option(CLI::App& command, const std::string& flag, EvalOptions& options,
                          const std::string& help);
void add_asking_options(CLI::App& command, EvalOptions& options);

// Throws a UsageError if an option was given that serves judging alone.
void refuse_judging_options(const CLI::App& command);

// Throws a UsageError where options contradict each other.
void check(const EvalOptions& options);

// A benchmark and the file of its records.
struct BenchmarkData {
    const eval::Benchmark* benchmark;
    std::string path;
};

// The one that the options name, or those whose files the folder holds. Throws an Error if there is
// none.
std::vector<BenchmarkData> chosen_benchmarks(const EvalOptions& options);

// In which protocols the judge is asked. Throws a UsageError if there is none that both the
// benchmark and the options have.
std::vector<eval::Protocol> chosen_protocols(const EvalOptions& options,
                                             const eval::Benchmark& benchmark);

// What `assay eval` finds of one benchmark: by asking the judge of options.grading.run, whose
// records go where options.grading.output says, or by the records of options.records.
eval::Evaluation evaluate_judge(EvalOptions options, const BenchmarkData& data);
eval::Evaluation evaluate_records(EvalOptions options, const BenchmarkData& data);

}  // namespace assay::cli
