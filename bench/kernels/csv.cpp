#include <cstdio>

#include "bench/kernels/results.h"
#include "grader/report/escape.h"

namespace assay::bench {
namespace {

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

// What a column holds of a case; empty where it has nothing.
struct Column {
    const char* name;
    std::string (*value)(const Result&);
};

constexpr Column columns[] = {
    {"case", [](const Result& r) { return r.of.name(); }},
    {"operation",
     [](const Result& r) {
         return std::string(operation_names[static_cast<std::size_t>(r.of.shape->operation)]);
     }},
    {"model", [](const Result& r) { return std::string(r.of.shape->model->name); }},
    {"part", [](const Result& r) { return std::string(r.of.shape->part); }},
    {"format",
     [](const Result& r) { return r.of.format ? std::string(info(*r.of.format).name) : ""; }},
    {"kv", [](const Result& r) { return r.of.kv ? std::string(info(*r.of.kv).name) : ""; }},
    {"rows", [](const Result& r) { return r.of.rows ? std::to_string(r.of.rows) : ""; }},
    {"keys", [](const Result& r) { return r.of.keys ? std::to_string(r.of.keys) : ""; }},
    {"in", [](const Result& r) { return std::to_string(r.of.shape->in); }},
    {"out", [](const Result& r) { return std::to_string(r.of.shape->out); }},
    {"bytes", [](const Result& r) { return number(r.cost.bytes); }},
    {"operations", [](const Result& r) { return number(r.cost.flops); }},
    {"samples",
     [](const Result& r) { return r.timed ? std::to_string(r.timed->cold.samples) : ""; }},
    {"cold_median_s", [](const Result& r) { return r.timed ? number(r.timed->cold.median) : ""; }},
    {"cold_p10_s", [](const Result& r) { return r.timed ? number(r.timed->cold.p10) : ""; }},
    {"cold_p90_s", [](const Result& r) { return r.timed ? number(r.timed->cold.p90) : ""; }},
    {"warm_median_s", [](const Result& r) { return r.timed ? number(r.timed->warm.median) : ""; }},
    {"warm_p10_s", [](const Result& r) { return r.timed ? number(r.timed->warm.p10) : ""; }},
    {"warm_p90_s", [](const Result& r) { return r.timed ? number(r.timed->warm.p90) : ""; }},
    {"bytes_per_s", [](const Result& r) { return r.timed ? number(r.bytes_per_second()) : ""; }},
    {"operations_per_s",
     [](const Result& r) { return r.timed ? number(r.flops_per_second()) : ""; }},
    {"roof", [](const Result& r) { return std::string(r.bound.roof); }},
    {"share_of_roof", [](const Result& r) { return r.timed ? number(r.share()) : ""; }},
    {"kernels", [](const Result& r) { return r.timed ? kernel_text(*r.timed) : ""; }},
    {"registers", [](const Result& r) { return r.timed ? registers_text(*r.timed) : ""; }},
    {"compile_s", [](const Result& r) { return number(r.compile_seconds); }},
    {"random_max_abs", [](const Result& r) { return number(r.random.max_abs); }},
    {"random_nmse", [](const Result& r) { return number(r.random.nmse); }},
    {"adversarial_max_abs", [](const Result& r) { return number(r.adversarial.max_abs); }},
    {"adversarial_nmse", [](const Result& r) { return number(r.adversarial.nmse); }},
    {"not_finite",
     [](const Result& r) {
         return std::to_string(r.random.not_finite + r.adversarial.not_finite);
     }},
    {"correct", [](const Result& r) { return std::string(r.correct() ? "true" : "false"); }},
};

}  // namespace

std::string to_csv(const Report& report) {
    std::string text, comma;
    for (const Column& column : columns) {
        text += comma + column.name;
        comma = ",";
    }
    for (const Result& result : report.results) {
        comma = "\r\n";
        for (const Column& column : columns) {
            text += comma + report::csv_field(column.value(result));
            comma = ",";
        }
    }
    return text + "\r\n";
}

}  // namespace assay::bench
