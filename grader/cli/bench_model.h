#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>

#include "grader/cli/options.h"

namespace assay::cli {

struct BenchModelOptions {
    RunOptions run;
    std::uint32_t prompt = 512, generate = 64;  // tokens
    std::uint32_t repeats = 3;
    bool cold = false;  // nothing that was compiled before is used
    bool json = false;
};

void add_bench_model_options(CLI::App& command, BenchModelOptions& options);

int bench_model(BenchModelOptions options);

}  // namespace assay::cli
