#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>

#include "grader/cli/options.h"

namespace assay::cli {

struct BenchRowsOptions {
    RunOptions run;
    std::uint32_t first = 1, last = 64;  // rows of a step
    std::uint32_t past = 256;            // positions behind each row
    std::uint32_t repeats = 25;
    bool check = false;  // exit code 1 where a step with a row more takes too much longer
    bool json = false;
};

void add_bench_rows_options(CLI::App& command, BenchRowsOptions& options);

// Times decode steps of more and more sequences.
int bench_rows(BenchRowsOptions options);

}  // namespace assay::cli
