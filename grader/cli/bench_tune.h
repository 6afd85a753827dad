#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "grader/cli/options.h"

namespace assay::cli {

struct BenchTuneOptions {
    RunOptions run;  // model ("": none), devices, quiet
    std::vector<std::string> formats{"q4_0", "q4_k", "q8_0", "f16"};  // without a model
    std::string json;                                                 // file; "-": standard output
    double seconds = 60;
    bool quick = false, forget = false;
};

void add_bench_tune_options(CLI::App& command, BenchTuneOptions& options);

// Measures how matrix products are computed fastest on a device, and keeps it.
int bench_tune(const BenchTuneOptions& options);

}  // namespace assay::cli
