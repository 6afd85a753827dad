#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <stdexcept>
#include <string_view>

namespace assay::cli {

namespace exit_code {
constexpr int done = 0, failed = 1, wrong_usage = 2, unscored_items = 3;
}

// Options that contradict each other: exit code 2.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What a command does once its options are read; returns the exit code.
using Action = std::function<int()>;

struct Command {
    std::string_view name;
    std::string_view summary;      // its line in `assay --help`
    std::string_view description;  // the rest of `assay NAME --help`, above the options
    std::string_view example;      // and below them
    Action (*add_options)(CLI::App& command);
    bool uses_device;
};

// In the order of `assay --help`.
std::span<const Command* const> commands();

}  // namespace assay::cli
