#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "grader/cli/options.h"

namespace assay::cli {

struct BenchGradingOptions {
    RunOptions run;
    std::vector<std::string> shapes;                    // none: all
    std::vector<std::uint32_t> texts = {1, 8, 32, 64};  // written at once
    std::uint32_t items = 0;                            // 0: twice as many as at once, 8 at least
    std::string prompts;                                // a file for the prompts; none if empty
    bool json = false;
};

void add_bench_grading_options(CLI::App& command, BenchGradingOptions& options);

// Times grading: prompts and texts as long as those of items, with tokens that mean nothing.
int bench_grading(BenchGradingOptions options);

}  // namespace assay::cli
