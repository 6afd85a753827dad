#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "bench/kernels/run.h"

namespace assay::cli {

struct BenchKernelsOptions {
    std::vector<std::string> filters;
    std::string device;
    std::string json, csv, html, compare;  // files; json "-" is standard output
    bool all = false, list = false, quiet = false;
    bool tuned = true;           // go by what `assay bench tune` found
    std::vector<Tier> disabled;  // that the device is to go without
    bench::RunOptions run;
};

void add_bench_kernels_options(CLI::App& command, BenchKernelsOptions& options);
int bench_kernels(BenchKernelsOptions options);

}  // namespace assay::cli
