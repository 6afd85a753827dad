#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/kernels/cases.h"
#include "bench/kernels/errors.h"
#include "bench/kernels/measure.h"
#include "bench/kernels/roofs.h"

namespace assay::bench {

// What is found out about a case.
struct Result {
    Case of;
    Cost cost;
    Errors random{}, adversarial{};
    std::optional<Measured> timed{};  // nothing where only the answers were checked
    double compile_seconds = 0;       // of the pipelines that no case before it had built
    std::string why{};                // these kernels, where there is a choice
    Bound bound{};                    // the least time under the roofs

    bool correct() const { return random.correct() && adversarial.correct(); }
    double seconds() const { return timed->cold.median; }
    double bytes_per_second() const { return cost.bytes / seconds(); }
    double flops_per_second() const { return cost.flops / seconds(); }
    double share() const { return bound.seconds / seconds(); }  // of the roof that bounds it
};

// A case that could not be run, and why.
struct Omitted {
    std::string name, why;
};

// A run, as all reports are made from.
struct Report {
    std::string version, date;  // of the program; UTC, as 2024-05-01T12:00:00Z
    std::string selection;      // which cases of how many
    DeviceInfo device{};
    MeasureOptions options{};
    std::uint64_t swept_bytes = 0;
    std::optional<Roofs> roofs{};  // nothing where only the answers were checked
    std::vector<Result> results{};
    std::vector<Omitted> omitted{};
    std::string lost{};            // why the run ended before its last case; empty: it did not
    bool tells_registers = false;  // the driver, of the kernels it compiles

    bool correct() const;
};

constexpr int schema_version = 1;  // of the JSON, see docs/bench.md
nlohmann::ordered_json to_json(const Report& report);

std::string to_csv(const Report& report);   // RFC 4180, a row for each case
std::string to_html(const Report& report);  // a page that loads nothing from anywhere

// For people: what is above the rows, a row, what is below.
std::string heading(const Report& report);
std::string table_row(const Report& report, const Result& result);
std::string closing(const Report& report);

// What these are made of.
inline constexpr std::string_view cpu_banner =
    "A CPU implementation of Vulkan is measured: the numbers say nothing about GPUs.";
std::vector<std::string> head_lines(const Report& report);
std::vector<std::string> table_columns(const Report& report);
std::vector<std::string> table_cells(const Report& report, const Result& result);
std::string kernel_text(const Measured& timed);  // "direct.q4_0(8,1,2) + 2 x gather"
// "64" or "64, 12 spilled": the most registers and spills of a kernel's executables, under whatever
// names the driver tells them; empty if it does not.
std::string registers_text(const std::vector<Executable>& executables);
std::string registers_text(const Measured& timed);  // of each kernel: "64 + 32, 12 spilled + -"

}  // namespace assay::bench
