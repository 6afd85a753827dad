#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <span>

#include "bench/kernels/results.h"
#include "bench/kernels/text.h"

namespace assay::bench {
namespace {

std::string roof_text(const Roof& roof) {
    switch (roof.kind) {
        case Roof::Kind::bandwidth:
            return rate_text(roof.rate, "B/s");
        case Roof::Kind::arithmetic:
            return rate_text(roof.rate, "OP/s");
        case Roof::Kind::duration:
            break;
    }
    return time_text(roof.rate);
}

std::string percent(double share) { return format_text("%.1f %%", 100 * share); }

// What went wrong, or how close the answers are.
std::string verdict(const Result& result) {
    if (result.correct())
        return format_text("%.1e", std::max(result.random.nmse, result.adversarial.nmse));
    const std::uint64_t wrong = result.random.wrong + result.adversarial.wrong,
                        compared = result.random.compared + result.adversarial.compared,
                        not_finite = result.random.not_finite + result.adversarial.not_finite;
    return "WRONG: " + std::to_string(wrong) + " of " + std::to_string(compared) + ", " +
           std::to_string(not_finite) + " not finite";
}

// "on: float16; off: coopmat (switched off)"
std::string tiers_text(const DeviceInfo& device) {
    std::string on, off;
    for (std::size_t i = 0; i < tier_count; ++i) {
        std::string& text = device.tiers[i].on ? on : off;
        text += (text.empty() ? "" : ", ") + std::string(tier_names[i]);
        if (const std::string& note = device.tiers[i].note; !note.empty())
            text += " (" + note + ")";
    }
    return "on: " + (on.empty() ? "none" : on) + "; off: " + (off.empty() ? "none" : off);
}

struct Figures {
    std::optional<double> registers, spilled;  // spilled: of all kinds
};

// Drivers call them "VGPRs", "Register Count", "GRF registers"; "Spilled VGPRs", "Spill count". Of
// several kinds of registers the first that is of each invocation counts.
Figures figures_of(const Executable& executable) {
    Figures figures;
    for (const auto& [name, value] : executable.statistics) {
        std::string lower = name;
        std::ranges::transform(lower, lower.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const auto has = [&](const char* word) { return lower.find(word) != std::string::npos; };
        const double number = std::visit([](auto v) { return static_cast<double>(v); }, value);
        if (has("spill"))
            figures.spilled = figures.spilled.value_or(0) + number;
        else if (!figures.registers && !has("sgpr") && (has("gpr") || has("register")))
            figures.registers = number;
    }
    return figures;
}

constexpr std::string_view registers_column = "registers";

struct Column {
    std::string_view name;
    int width;  // negative: the cells begin at the left
    std::string (*cell)(const Result&);
};

constexpr Column timed_columns[] = {
    {"case", -44, [](const Result& r) { return r.of.name(); }},
    {"n", 3, [](const Result& r) { return std::to_string(r.timed->cold.samples); }},
    {"cold", 11, [](const Result& r) { return time_text(r.timed->cold.median); }},
    {"p10", 6,
     [](const Result& r) {
         return format_text("%+.0f %%", 100 * (r.timed->cold.p10 / r.timed->cold.median - 1));
     }},
    {"p90", 6,
     [](const Result& r) {
         return format_text("%+.0f %%", 100 * (r.timed->cold.p90 / r.timed->cold.median - 1));
     }},
    {"warm", 11, [](const Result& r) { return time_text(r.timed->warm.median); }},
    {"bytes", 9, [](const Result& r) { return rate_text(r.bytes_per_second(), "B/s"); }},
    {"operations", 12,
     [](const Result& r) {
         return r.cost.flops > 0 ? rate_text(r.flops_per_second(), "OP/s") : std::string("-");
     }},
    {"share", 8, [](const Result& r) { return percent(r.share()); }},
    {"of roof", -8, [](const Result& r) { return std::string(r.bound.roof); }},
    {"compiled", 9,
     [](const Result& r) {
         return r.compile_seconds > 0 ? time_text(r.compile_seconds) : std::string("-");
     }},
    {"error", 8, verdict},
    {registers_column, 9, [](const Result& r) { return registers_text(*r.timed); }},
    {"kernels", 0, [](const Result& r) { return kernel_text(*r.timed); }},
};
constexpr Column checked_columns[] = {
    {"case", -44, [](const Result& r) { return r.of.name(); }},
    {"max error", 10, [](const Result& r) { return format_text("%.1e", r.random.max_abs); }},
    {"NMSE", 9, [](const Result& r) { return format_text("%.1e", r.random.nmse); }},
    {"allowed", 9, [](const Result& r) { return percent(r.random.of_allowed); }},
    {"adversarial", 11, [](const Result& r) { return format_text("%.1e", r.adversarial.max_abs); }},
    {"NMSE", 9, [](const Result& r) { return format_text("%.1e", r.adversarial.nmse); }},
    {"allowed", 9, [](const Result& r) { return percent(r.adversarial.of_allowed); }},
    {"", 0, [](const Result& r) { return r.correct() ? std::string() : verdict(r); }},
};

std::vector<Column> columns(const Report& report) {
    const auto all = report.roofs ? std::span<const Column>(timed_columns) : checked_columns;
    std::vector<Column> shown;
    std::ranges::copy_if(all, std::back_inserter(shown), [&](const Column& column) {
        return column.name != registers_column || report.tells_registers;
    });
    return shown;
}

std::string padded(const std::string& cell, int width) {
    const std::size_t wide = static_cast<std::size_t>(std::abs(width));
    const std::string space(cell.size() < wide ? wide - cell.size() : 0, ' ');
    return width < 0 ? cell + space : space + cell;
}

std::string line(std::span<const Column> all, std::span<const std::string> cells) {
    std::string text;
    for (std::size_t i = 0; i < all.size(); ++i)
        text += (i == 0 ? "" : " ") + padded(cells[i], all[i].width);
    return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

std::string kernel_text(const Measured& timed) {
    std::string text;
    for (const KernelRun& run : timed.kernels) {
        if (!text.empty()) text += " + ";
        if (run.dispatches > 1) text += std::to_string(run.dispatches) + " x ";
        text += run.kernel;
        for (std::uint32_t i = 0; i < run.constants.count; ++i)
            text += (i == 0 ? "(" : ",") + std::to_string(run.constants.values[i]);
        if (run.constants.count > 0) text += ")";
    }
    return text;
}

// What was only to be checked, and could not be, is not correct.
bool Report::correct() const {
    return lost.empty() && !results.empty() && std::ranges::all_of(results, &Result::correct) &&
           (roofs || omitted.empty());
}

std::string registers_text(const std::vector<Executable>& executables) {
    std::optional<double> registers, spilled;
    for (const Executable& executable : executables) {
        const Figures figures = figures_of(executable);
        if (figures.registers) registers = std::max(registers.value_or(0), *figures.registers);
        if (figures.spilled) spilled = std::max(spilled.value_or(0), *figures.spilled);
    }
    std::string text = registers ? format_text("%.0f", *registers) : "";
    if (spilled && (*spilled > 0 || !registers))
        text += (registers ? ", " : "") + format_text("%.0f spilled", *spilled);
    return text;
}

std::string registers_text(const Measured& timed) {
    std::string text;
    bool told = false;
    for (const KernelRun& run : timed.kernels) {
        const std::string registers = registers_text(run.executables);
        told = told || !registers.empty();
        text += (text.empty() ? "" : " + ") + (registers.empty() ? "-" : registers);
    }
    return told ? text : "";
}

std::vector<std::string> table_columns(const Report& report) {
    std::vector<std::string> names;
    for (const Column& column : columns(report)) names.emplace_back(column.name);
    return names;
}

std::vector<std::string> table_cells(const Report& report, const Result& result) {
    std::vector<std::string> cells;
    for (const Column& column : columns(report)) cells.push_back(column.cell(result));
    return cells;
}

std::vector<std::string> head_lines(const Report& report) {
    const DeviceInfo& device = report.device;
    std::vector<std::string> lines{
        device.name + ", " + device.driver + ", Vulkan " + device.api_version + ", subgroups of " +
            std::to_string(device.subgroup_size) + "; Assay " + report.version + ", " + report.date,
        "tiers " + tiers_text(device)};
    if (report.roofs) {
        std::string roofs;
        for (const Roof& roof : report.roofs->all)
            roofs +=
                (roofs.empty() ? "roofs " : ", ") + std::string(roof.name) + " " + roof_text(roof);
        lines.push_back(roofs);
    }
    lines.push_back("cases " + report.selection);
    if (report.roofs)
        lines.push_back(format_text(
            "n samples, %u at most; cold: after reading %.0f MiB of other memory; rates and "
            "shares are of the cold median; error: NMSE",
            report.options.samples, static_cast<double>(report.swept_bytes) / (1 << 20)));
    if (report.roofs && !report.tells_registers)
        lines.emplace_back("the driver tells nothing of registers");
    return lines;
}

std::string heading(const Report& report) {
    std::string text;
    if (report.device.is_cpu) text += std::string(cpu_banner) + "\n";
    for (const std::string& head : head_lines(report)) text += head + "\n";
    return text + "\n" + line(columns(report), table_columns(report));
}

std::string table_row(const Report& report, const Result& result) {
    return line(columns(report), table_cells(report, result));
}

std::string closing(const Report& report) {
    std::string text;
    for (const Omitted& omitted : report.omitted)
        text += "left out: " + omitted.name + ": " + omitted.why + "\n";
    const auto wrong = std::ranges::count_if(report.results, [](auto& r) { return !r.correct(); });
    if (wrong > 0)
        text += std::to_string(wrong) + " of " + std::to_string(report.results.size()) +
                " cases are WRONG\n";
    if (!report.lost.empty())
        text += "ended after " + std::to_string(report.results.size() + report.omitted.size()) +
                " cases, since the device is lost: " + report.lost + "\n";
    return text;
}

}  // namespace assay::bench
