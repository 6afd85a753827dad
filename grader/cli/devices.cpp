#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "model/memory_plan.h"
#include "runtime/device.h"
#include "runtime/error.h"
#include "runtime/ops.h"
#include "runtime/ops/tuning.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

// Consecutive numbers of rows that one kernel serves.
struct PathRange {
    std::string path;
    std::uint32_t first, last;
};

constexpr std::uint32_t most_rows = 1024;  // beyond it nothing changes

// Of quantised weights.
std::vector<PathRange> matmul_paths(const DeviceInfo& device) {
    std::vector<PathRange> ranges;
    for (std::uint32_t rows = 1; rows <= most_rows; ++rows) {
        const std::string path = ops::matmul_path_names.at(
            static_cast<std::size_t>(ops::matmul_choice(device, Format::q8_0, rows).path));
        if (ranges.empty() || ranges.back().path != path) ranges.push_back({path, rows, rows});
        ranges.back().last = rows;
    }
    return ranges;
}

std::string text(const std::vector<PathRange>& ranges) {
    std::string line;
    for (const PathRange& range : ranges) {
        if (!line.empty()) line += ", ";
        line += range.path;
        if (range.last < most_rows)
            line += " up to " + std::to_string(range.last) + " rows";
        else if (range.first > 1)
            line += " above";
        else
            line += " for any number of rows";
    }
    return line;
}

std::string join(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : ", ") + word;
    return line.empty() ? "none" : line;
}

std::vector<std::string> tiers_on(const DeviceInfo& device) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < tier_count; ++i)
        if (device.tiers[i].on) {
            const bool in_part = static_cast<Tier>(i) == Tier::coopmat2 && !device.tensor_loads;
            names.push_back(tier_names[i] + std::string(in_part ? " (no tensor loads)" : ""));
        }
    return names;
}

// "coopmat2: the device lacks cooperativeMatrixFlexibleDimensions"
std::vector<std::string> tiers_off(const DeviceInfo& device) {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < tier_count; ++i)
        if (!device.tiers[i].on) lines.push_back(tier_names[i] + (": " + device.tiers[i].note));
    return lines;
}

std::vector<std::string> shapes(const DeviceInfo& device) {
    std::vector<std::string> lines;
    for (const MatrixShape& shape : device.matrix_shapes) lines.push_back(text_of(shape));
    return lines;
}

std::vector<std::string> steps(const DeviceInfo& device) {
    std::vector<std::string> lines;
    for (const MatrixSteps& step : device.matrix_steps) lines.push_back(text_of(step));
    return lines;
}

// What was measured on the device, if anything was that can be read.
std::optional<ops::Tuning> stored_tuning(const DeviceInfo& device) {
    try {
        return ops::read_tuning(device, ops::tuning_file(device, default_cache_folder()));
    } catch (const Error&) {
        return std::nullopt;  // what is wrong with it is said where it would be used
    }
}

Json to_json(const DeviceInfo& device) {
    Json paths = Json::array();
    for (const PathRange& range : matmul_paths(device)) {
        Json entry{{"path", range.path}, {"from_rows", range.first}};
        if (range.last < most_rows) entry["to_rows"] = range.last;
        paths.push_back(entry);
    }
    Json tiers = Json::object();
    for (std::size_t i = 0; i < tier_count; ++i) {
        tiers[tier_names[i]] = {{"on", device.tiers[i].on}};
        if (!device.tiers[i].on) tiers[tier_names[i]]["note"] = device.tiers[i].note;
    }
    Json tuned;  // null if it is not
    if (const auto tuning = stored_tuning(device))
        tuned = {{"date", tuning->date}, {"choices", tuning->size()}};
    return {{"index", device.index},
            {"name", device.name},
            {"kind", device.kind},
            {"driver", device.driver},
            {"api_version", device.api_version},
            {"memory_bytes", device.memory_bytes},
            {"memory_free_bytes", device.memory_free_bytes},
            {"unified_memory", device.unified_memory},
            {"subgroup_size", device.subgroup_size},
            {"max_workgroup_invocations", device.max_workgroup_invocations},
            {"shared_memory_bytes", device.shared_memory_bytes},
            {"tiers", tiers},
            {"matrix_shapes", shapes(device)},
            {"matrix_steps", steps(device)},
            {"tensor_loads", device.tensor_loads},
            {"usable", device.missing.empty()},
            {"missing", device.missing},
            {"matmul", paths},
            {"tuned", tuned}};
}

void print(const DeviceInfo& device) {
    std::printf("%u  %s\n", device.index, device.name.c_str());
    const auto row = [](const char* what, const std::string& value) {
        std::printf("   %-10s %s\n", what, value.c_str());
    };
    row("kind", device.kind + (device.is_cpu ? ", a CPU implementation of Vulkan" : ""));
    row("driver", device.driver + ", Vulkan " + device.api_version);
    row("memory", bytes_text(device.memory_bytes) + ", " + bytes_text(device.memory_free_bytes) +
                      " free" + (device.unified_memory ? ", shared with the host" : ""));
    row("subgroup", std::to_string(device.subgroup_size) + " invocations; workgroups up to " +
                        std::to_string(device.max_workgroup_invocations) + " with " +
                        bytes_text(device.shared_memory_bytes) + " shared memory");
    row("tiers", join(tiers_on(device)));
    for (const std::string& line : tiers_off(device)) row("", "without " + line);
    if (!device.matrix_shapes.empty()) row("matrices", join(shapes(device)));
    if (!device.matrix_steps.empty()) row("", join(steps(device)));
    row("matmul", text(matmul_paths(device)));
    const auto tuning = stored_tuning(device);
    row("tuned", tuning ? tuning->date + ", choices: " + std::to_string(tuning->size())
                        : "no (assay bench tune)");
    row("usable", device.missing.empty() ? "yes" : "no: it lacks " + join(device.missing));
}

int run(bool json) {
    const std::vector<DeviceInfo> devices = list_devices();
    if (devices.empty())
        throw Error(
            "no Vulkan device: no driver is installed (a GPU's own, or mesa-vulkan-drivers for the "
            "CPU)");
    if (json) {
        Json list = Json::array();
        for (const DeviceInfo& device : devices) list.push_back(to_json(device));
        std::printf("%s\n", list.dump(2).c_str());
        return exit_code::done;
    }
    for (const DeviceInfo& device : devices) print(device);
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto json = std::make_shared<bool>(false);
    add_json_flag(command, *json);
    return [json] { return run(*json); };
}

}  // namespace

extern const Command devices_command;
const Command devices_command{
    .name = "devices",
    .summary = "List the Vulkan devices and what they can do",
    .description =
        "Lists every Vulkan device, the fastest first, with what it can do, which kernels serve "
        "its matrix products, and what it lacks if Assay cannot use it. Commands take the first "
        "usable one unless --device names another.",
    .example = "assay devices",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
