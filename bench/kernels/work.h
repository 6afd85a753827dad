#pragma once
#include <memory>
#include <string>

#include "bench/kernels/cases.h"
#include "bench/kernels/errors.h"
#include "bench/kernels/operands.h"
#include "runtime/ops.h"

namespace assay::bench {

// How operations are to be carried out.
struct Paths {
    ops::MatmulPath matmul = ops::MatmulPath::automatic;
};

// A case with its operands on a device.
class Work {
public:
    virtual ~Work() = default;
    // Fills the operands, runs the operation and compares some of its outputs: the first, the last
    // and others between. The operands are left as they are.
    virtual Errors check(Stream& s, Data data) = 0;
    // Records what run() needs of the step, which is not timed.
    virtual void begin(Stream&) {}
    virtual void run(Stream& s) = 0;  // records the operation
    // What the operation has to move and compute, see docs/bench.md.
    virtual Cost cost() const = 0;
    // Why its kernels are the ones that run, where there is a choice.
    virtual std::string why(Device&) const { return "the only one"; }
};

class DeviceExperts;

// What one case leaves for the next: the weights, if they are the same.
class Kept {
public:
    Kept();
    ~Kept();
    const DeviceWeight& weight(Stream& s, const Case& c, std::uint32_t out_dim,
                               std::uint32_t in_dim);
    const DeviceExperts& experts(Stream& s, const Case& c);

private:
    std::unique_ptr<DeviceWeight> weight_;
    std::unique_ptr<DeviceExperts> experts_;
};

// Throws an Error if memory is short.
std::unique_ptr<Work> make_work(Stream& s, const Case& c, const Paths& paths, Kept& kept);

// By operation; shared by make_work() alone.
std::unique_ptr<Work> make_matmul(Stream& s, const Case& c, const Paths& paths, Kept& kept);
std::unique_ptr<Work> make_experts(Stream& s, const Case& c, const Paths& paths, Kept& kept);
std::unique_ptr<Work> make_attention(Stream& s, const Case& c);
std::unique_ptr<Work> make_rope(Stream& s, const Case& c);
std::unique_ptr<Work> make_sample(Stream& s, const Case& c);
std::unique_ptr<Work> make_rows(Stream& s, const Case& c, Kept& kept);  // what works row by row
std::unique_ptr<Work> make_routing(Stream& s, const Case& c);           // route and combine

}  // namespace assay::bench
