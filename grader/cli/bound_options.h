#pragma once
#include <CLI/CLI.hpp>
#include <span>

#include "grader/bounds.h"
#include "grader/metric.h"

namespace assay::cli {

// --fail-under, --fail-over and --fail-unscored.
void add_bound_options(CLI::App& command, Bounds& bounds);

// Throws an Error, which is exit code 1, that names the first bound that is missed.
void require(const Bounds& bounds, std::span<const Metric> metrics);

}  // namespace assay::cli
