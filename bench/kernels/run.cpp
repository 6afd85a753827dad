#include "bench/kernels/run.h"

#include <algorithm>
#include <memory>

#include "runtime/error.h"

namespace assay::bench {
namespace {

// The roofs of the arithmetic that may serve an operation. Products of bytes are not exact: they
// count where they were chosen.
std::vector<std::string_view> serving_arithmetic(Operation operation,
                                                 const std::vector<KernelRun>& kernels) {
    std::vector<std::string_view> roofs{fp32_roof};
    if (is_product(operation) || operation == Operation::attention) roofs.push_back(coopmat_roof);
    const auto ran = [&](std::string_view name) {
        return std::ranges::any_of(kernels,
                                   [&](auto& run) { return run.kernel.starts_with(name); });
    };
    if (ran("dot")) roofs.push_back(int8_roof);
    if (ran("dot_coopmat")) roofs.push_back(coopmat_s8_roof);
    return roofs;
}

class Runner {
public:
    Runner(Device& device, const RunOptions& options) : device_(device), options_(options) {}

    Result run(const Case& c, const Separator* between, const Report& report) {
        std::unique_ptr<Work> work;  // goes after the stream, which waits for what uses it
        Stream s(device_, {.profile = true});
        work = make_work(s, c, options_.paths, kept_);
        Result result{.of = c, .cost = work->cost()};
        const double compiled = device_.compile_seconds();
        result.adversarial = work->check(s, Data::adversarial);
        result.random = work->check(s, Data::random);  // whose operands are then timed
        result.compile_seconds = device_.compile_seconds() - compiled;
        if (!between) return result;
        result.timed = measure(s, *work, *between, options_.measure);
        result.why = work->why(device_);
        result.bound = bound_of(*report.roofs, result.cost,
                                serving_arithmetic(c.shape->operation, result.timed->kernels));
        return result;
    }

private:
    Device& device_;
    const RunOptions& options_;
    Kept kept_;
};

// What the device says if it does not work any more, rather than had no memory for a case.
std::string loss_of(Device& device) {
    try {
        Stream s(device);
        const Tensor a = s.scratch(1, 1), b = s.scratch(1, 1);
        s.copy(a, b);
        s.wait();
        return "";
    } catch (const Error& error) {
        return error.what();
    }
}

}  // namespace

void run_cases(const Selection& selection, const CaseRunner& runner, const Listener& listener,
               Report& report) {
    for (std::size_t i = 0; i < selection.cases.size(); ++i) {
        const Case& c = selection.cases[i];
        listener.on_case(c, i);
        try {
            report.results.push_back(runner.run(c));
        } catch (const Error& error) {
            report.omitted.push_back({c.name(), error.what()});
            if (report.lost = runner.lost(); !report.lost.empty()) return;
            continue;
        }
        listener.on_result(report, report.results.back());
    }
}

Report run(Device& device, const Selection& selection, const RunOptions& options, Report report,
           const Listener& listener) {
    if (!device.info().is_cpu)  // which uses none unless asked to
        for (std::size_t i = 0; i < tier_count; ++i) device.has(static_cast<Tier>(i));
    report.device = device.info();
    report.options = options.measure;
    std::optional<Separator> between;
    if (!options.check_only) {
        report.swept_bytes = swept_bytes(device, options.quick);
        between.emplace(device, report.swept_bytes);
        report.roofs = measure_roofs(device, *between, options.quick);
        report.tells_registers =
            !registers_text(executables(device, "nothing", {})).empty();  // the mark's kernel
    }
    listener.on_begin(report);
    Runner runner(device, options);
    run_cases(
        selection,
        {.run = [&](const Case& c) { return runner.run(c, between ? &*between : nullptr, report); },
         .lost = [&] { return loss_of(device); }},
        listener, report);
    return report;
}

}  // namespace assay::bench
