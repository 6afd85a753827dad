#include "bench/kernels/work.h"

#include "bench/kernels/experts.h"

namespace assay::bench {

Kept::Kept() = default;
Kept::~Kept() = default;

const DeviceWeight& Kept::weight(Stream& s, const Case& c, std::uint32_t out_dim,
                                 std::uint32_t in_dim) {
    experts_.reset();
    if (!weight_ || weight_->weight.out_dim != out_dim || weight_->weight.in_dim != in_dim ||
        weight_->weight.format != *c.format) {
        weight_.reset();  // before there are two
        weight_ = std::make_unique<DeviceWeight>(s, *c.format, out_dim, in_dim);
    }
    return *weight_;
}

const DeviceExperts& Kept::experts(Stream& s, const Case& c) {
    weight_.reset();
    if (!experts_ || experts_->shape != c.shape || experts_->format != *c.format) {
        experts_.reset();
        experts_ = std::make_unique<DeviceExperts>(s, c);
    }
    return *experts_;
}

std::unique_ptr<Work> make_work(Stream& s, const Case& c, const Paths& paths, Kept& kept) {
    switch (c.shape->operation) {
        case Operation::matmul:
            return make_matmul(s, c, paths, kept);
        case Operation::experts:
            return make_experts(s, c, paths, kept);
        case Operation::attention:
            return make_attention(s, c);
        case Operation::rope:
            return make_rope(s, c);
        case Operation::sample:
            return make_sample(s, c);
        case Operation::embed:
        case Operation::repack:
        case Operation::rmsnorm:
        case Operation::swiglu:
        case Operation::gather:
            return make_rows(s, c, kept);
        case Operation::route:
        case Operation::combine:
            return make_routing(s, c);
    }
    throw std::logic_error("an operation without work");
}

}  // namespace assay::bench
