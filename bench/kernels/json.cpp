#include "bench/kernels/results.h"

namespace assay::bench {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Timing& timing) {
    return {{"samples", timing.samples},
            {"median", timing.median},
            {"p10", timing.p10},
            {"p90", timing.p90}};
}

Json to_json(const Errors& errors) {
    return {
        {"compared", errors.compared}, {"wrong", errors.wrong}, {"not_finite", errors.not_finite},
        {"max_abs", errors.max_abs},   {"nmse", errors.nmse},   {"of_allowed", errors.of_allowed}};
}

Json constants_of(const KernelRun& run) {
    Json list = Json::array();
    for (std::uint32_t i = 0; i < run.constants.count; ++i) list.push_back(run.constants.values[i]);
    return list;
}

Json to_json(const std::vector<Executable>& executables) {
    Json list = Json::array();
    for (const Executable& executable : executables) {
        Json statistics = Json::object();
        for (const auto& [name, value] : executable.statistics)
            std::visit([&](auto v) { statistics[name] = v; }, value);
        list.push_back({{"name", executable.name},
                        {"subgroup_size", executable.subgroup_size},
                        {"statistics", statistics}});
    }
    return list;
}

Json to_json(const std::vector<KernelRun>& kernels) {
    Json list = Json::array();
    for (const KernelRun& run : kernels)
        list.push_back({{"kernel", run.kernel},
                        {"constants", constants_of(run)},
                        {"dispatches", run.dispatches},
                        {"executables", to_json(run.executables)}});
    return list;
}

Json matrices(const DeviceInfo& device) {
    Json list = Json::array();
    for (const MatrixShape& shape : device.matrix_shapes) list.push_back(text_of(shape));
    return list;
}

// Whether each is on.
Json tiers(const DeviceInfo& device) {
    Json tiers = Json::object();
    for (std::size_t i = 0; i < tier_count; ++i) tiers[tier_names[i]] = device.tiers[i].on;
    return tiers;
}

Json tier_notes(const DeviceInfo& device) {
    Json notes = Json::object();
    for (std::size_t i = 0; i < tier_count; ++i)
        if (const std::string& note = device.tiers[i].note; !note.empty())
            notes[tier_names[i]] = note;
    return notes;
}

Json to_json(const DeviceInfo& device) {
    return {{"name", device.name},
            {"driver", device.driver},
            {"kind", device.kind},
            {"api_version", device.api_version},
            {"subgroup_size", device.subgroup_size},
            {"memory_bytes", device.memory_bytes},
            {"tiers", tiers(device)},
            {"tier_notes", tier_notes(device)},
            {"matrix_shapes", matrices(device)}};
}

Json to_json(const Roof& roof) {
    constexpr const char* units[] = {"bytes_per_second", "operations_per_second", "seconds"};
    return {{"name", roof.name}, {units[static_cast<std::size_t>(roof.kind)], roof.rate}};
}

Json to_json(const Result& result) {
    const Case& c = result.of;
    Json json{{"case", c.name()},
              {"operation", operation_names[static_cast<std::size_t>(c.shape->operation)]},
              {"models", c.shape->models}};
    if (!c.shape->part.empty()) json["part"] = c.shape->part;
    if (c.format) json["format"] = info(*c.format).name;
    if (c.kv) json["kv"] = info(*c.kv).name;
    if (c.rows != 0) json["rows"] = c.rows;
    if (c.keys != 0) json["keys"] = c.keys;
    json.update({{"in", c.shape->in},
                 {"out", c.shape->out},
                 {"bytes", result.cost.bytes},
                 {"operations", result.cost.flops},
                 {"correct", result.correct()},
                 {"random", to_json(result.random)},
                 {"adversarial", to_json(result.adversarial)},
                 {"compile_seconds", result.compile_seconds}});
    if (result.timed)
        json.update({{"cold", to_json(result.timed->cold)},
                     {"warm", to_json(result.timed->warm)},
                     {"kernels", to_json(result.timed->kernels)},
                     {"why", result.why},
                     {"bytes_per_second", result.bytes_per_second()},
                     {"operations_per_second", result.flops_per_second()},
                     {"roof", result.bound.roof},
                     {"share_of_roof", result.share()}});
    return json;
}

}  // namespace

Json to_json(const Report& report) {
    Json json{{"schema", schema_version},
              {"version", report.version},
              {"date", report.date},
              {"device", to_json(report.device)},
              {"selection", report.selection},
              {"samples", report.options.samples},
              {"swept_bytes", report.swept_bytes},
              {"tells_registers", report.tells_registers}};
    json["roofs"] = Json::array();
    if (report.roofs)
        for (const Roof& roof : report.roofs->all) json["roofs"].push_back(to_json(roof));
    json["cases"] = Json::array();
    for (const Result& result : report.results) json["cases"].push_back(to_json(result));
    json["left_out"] = Json::array();
    for (const Omitted& omitted : report.omitted)
        json["left_out"].push_back({{"case", omitted.name}, {"why", omitted.why}});
    if (!report.lost.empty()) json["lost"] = report.lost;
    return json;
}

}  // namespace assay::bench
