#include "bench/kernels/roofs.h"

#include <algorithm>
#include <functional>

#include "runtime/copy_rate.h"
#include "runtime/error.h"

namespace assay::bench {
namespace {

struct Effort {
    std::uint64_t bytes;  // copied
    std::uint32_t samples;
    double seconds;  // that arithmetic should take
};

// The shortest of some samples: a roof is what a device can do.
double least_seconds(Stream& s, const Effort& effort, const Separator& between,
                     const std::function<void()>& work) {
    return std::ranges::min(sample_seconds(s, effort.samples, between, false, work));
}

double measure_copy(Stream& s, const Effort& effort, const Separator& between) {
    const Buffer from(s.device(), effort.bytes, Memory::device, "copied from"),
        to(s.device(), effort.bytes, Memory::device, "copied to");
    constexpr std::uint32_t workgroup = 256, run = workgroup * shader::roof_quads;
    const auto quads = static_cast<std::uint32_t>(effort.bytes / 16);
    const double seconds = least_seconds(s, effort, between, [&] {
        s.dispatch(kernels::copy_quads().specialize(workgroup),
                   {.from = {from.address()}, .to = {to.address()}, .quads = quads},
                   {.x = (quads + run - 1) / run},
                   {.bytes = 2.0 * static_cast<double>(effort.bytes)});
    });
    return 2.0 * static_cast<double>(effort.bytes) / seconds;
}

double measure_read(Stream& s, const Effort& effort, const Separator& between) {
    return static_cast<double>(between.swept_bytes()) /
           least_seconds(s, effort, between, [&] { between.sweep(s); });
}

// A kernel of which each workgroup does so many operations in a round.
struct Arithmetic {
    Variant<shader::ArithmeticParams> kernel;
    std::uint32_t workgroup;
    double round_operations;
};

double measure_arithmetic(Stream& s, const Effort& effort, const Separator& between,
                          const Arithmetic& of) {
    const std::uint32_t groups = s.device().info().is_cpu ? 64 : 8192;
    const Buffer sums(s.device(), std::uint64_t{4} * of.workgroup * groups, Memory::device, "sums");
    const double operations = of.round_operations * groups;
    std::uint32_t rounds = 8;
    const auto work = [&] {
        s.dispatch(of.kernel,
                   {.sums = {sums.address()}, .factor = 0.999F, .addend = 0.001F, .rounds = rounds},
                   {.x = groups}, {.bytes = 0, .flops = operations * rounds});
    };
    while (least_seconds(s, effort, between, work) < effort.seconds && rounds < 1u << 20)
        rounds *= 2;
    return operations * rounds / least_seconds(s, effort, between, work);
}

// Of numbers one by one: terms that are multiplied and added to a sum at a time.
Arithmetic arithmetic_of(const DeviceInfo& device, Number number, std::uint32_t terms) {
    const std::uint32_t workgroup = std::max(64u, device.subgroup_size);
    return {kernels::arithmetic(number).specialize(workgroup), workgroup,
            2.0 * terms * 4 * shader::roof_chains * 8 * workgroup};
}

// Of matrices of halves with sums in f32, or of bytes.
Arithmetic arithmetic_of(const DeviceInfo& device, Operands operands, const MatrixShape& shape) {
    return {kernels::matrices(operands).specialize(device.subgroup_size, shape.rows, shape.columns,
                                                   shape.depth),
            device.subgroup_size,
            2.0 * shape.rows * shape.columns * shape.depth * shader::roof_matrices * 8};
}

// The arithmetic of every kind that the device has.
void measure_arithmetics(Stream& s, const Effort& effort, const Separator& between, Roofs& roofs) {
    Device& device = s.device();
    const DeviceInfo& info = device.info();
    const auto add = [&](std::string_view name, const Arithmetic& of) {
        const double rate = measure_arithmetic(s, effort, between, of);
        const auto same = std::ranges::find(roofs.all, name, &Roof::name);
        if (same == roofs.all.end())
            roofs.all.push_back({name, Roof::Kind::arithmetic, rate});
        else
            same->rate = std::max(same->rate, rate);
    };
    add(fp32_roof, arithmetic_of(info, Number::f32, 1));
    if (device.has(Tier::float16)) add("fp16", arithmetic_of(info, Number::f16, 1));
    if (!info.is_cpu && device.has(Tier::dot)) add(int8_roof, arithmetic_of(info, Number::s8, 4));
    // The compiler of a CPU implementation sees that the same matrices are multiplied again.
    for (const MatrixShape& shape : info.matrix_shapes) {
        if (info.is_cpu) break;
        if (shape.operands == "f16" && shape.sums == "f32" && device.has(Tier::coopmat))
            add(coopmat_roof, arithmetic_of(info, Operands::f16, shape));
        if (shape.operands == "s8" && shape.sums == "s32" && device.has(Tier::coopmat_s8))
            add(coopmat_s8_roof, arithmetic_of(info, Operands::s8, shape));
    }
}

// Empty dispatches, each of which waits for the one before.
void measure_dispatches(Stream& s, const Separator& between, Roofs& roofs) {
    constexpr std::uint32_t dispatches = 200;
    s.clear_profile();
    for (std::uint32_t i = 0; i < dispatches; ++i) between.mark(s);
    s.wait();
    const auto& events = s.profile();
    std::vector<double> own, to_next;
    for (std::size_t i = 1; i < events.size(); ++i) {
        own.push_back(events[i].seconds);
        to_next.push_back(events[i].start_seconds - events[i - 1].start_seconds);
    }
    if (own.empty()) throw Error(s.device().info().name + ": it has no timestamps");
    roofs.all.push_back({dispatch_roof, Roof::Kind::duration, timing_of(own).median});
    roofs.all.push_back({"barrier", Roof::Kind::duration, timing_of(to_next).median});
}

}  // namespace

double Roofs::rate(std::string_view name) const {
    const auto found = std::ranges::find(all, name, &Roof::name);
    return found == all.end() ? 0 : found->rate;
}

Roofs measure_roofs(Device& device, const Separator& between, bool quick) {
    // A GPU would copy little within its cache.
    const Effort effort = !quick                 ? Effort{256 << 20, 15, 0.005}
                          : device.info().is_cpu ? Effort{8 << 20, 3, 0.002}
                                                 : Effort{256 << 20, 3, 0.002};
    Stream s(device, {.profile = true});
    Roofs roofs;
    using enum Roof::Kind;
    // Whichever way of copying is the faster.
    const double by_kernel = measure_copy(s, effort, between),
                 by_command = quick ? 0 : measure_copy_rate(device);
    roofs.all.push_back({copy_roof, bandwidth, std::max(by_kernel, by_command)});
    roofs.all.push_back({"read", bandwidth, measure_read(s, effort, between)});
    measure_arithmetics(s, effort, between, roofs);
    measure_dispatches(s, between, roofs);
    return roofs;
}

Bound bound_of(const Roofs& roofs, const Cost& cost, std::span<const std::string_view> arithmetic) {
    Bound bound{dispatch_roof, roofs.rate(dispatch_roof)};
    const auto consider = [&](std::string_view roof, double work, double rate) {
        if (rate > 0 && work / rate > bound.seconds) bound = {roof, work / rate};
    };
    consider(copy_roof, cost.bytes, roofs.rate(copy_roof));
    if (!arithmetic.empty()) {
        const auto rate = [&](std::string_view name) { return roofs.rate(name); };
        const std::string_view best = std::ranges::max(arithmetic, {}, rate);
        consider(best, cost.flops, roofs.rate(best));
    }
    return bound;
}

}  // namespace assay::bench
