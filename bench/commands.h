#pragma once
#include <CLI/CLI.hpp>

namespace assay::bench {

// Each adds a subcommand with its options; parsing runs it.
void add_synth(CLI::App& app);

}  // namespace assay::bench
