#include <algorithm>
#include <set>

#include "bench/kernels/cost.h"
#include "bench/kernels/experts.h"
#include "bench/kernels/products.h"
#include "bench/kernels/work.h"
#include "tests/reference/reference.h"

namespace assay::bench {
namespace {

constexpr std::uint32_t shift = 101;  // rows from an expert's first to the next one's

bool goes_up(const Shape& shape) { return shape.epilogue == Epilogue::swiglu; }

// Random logits, as tokens have: experts get unequal numbers of rows.
std::vector<float> router_logits(const ModelShape& model, std::uint32_t tokens) {
    return Numbers(3).rows(tokens, model.experts, Data::random);
}

class ExpertsWork : public Work {
public:
    ExpertsWork(Stream& s, const Case& c, const Paths& paths, Kept& kept)
        : case_(c),
          model_(*c.shape->model),
          path_(paths.matmul),
          experts_(kept.experts(s, c)),
          logits_(s, router_logits(model_, c.rows), {c.rows, model_.experts, 1}),
          chosen_(
              reference::route(router_logits(model_, c.rows), model_.experts, model_.experts_used)
                  .experts) {}

    Errors check(Stream& s, Data data) override {
        ErrorMeter meter;
        const std::uint32_t runs =
            data == Data::random || x_rows() >= adversarial_kinds ? 1 : adversarial_kinds;
        for (std::uint32_t i = 0; i < runs; ++i) check_once(s, data, meter);
        return meter.errors();
    }

    void begin(Stream& s) override {
        routing_ = ops::route(s, logits_, model_.experts_used, experts_.weights, path_);
    }
    void run(Stream& s) override { product(s); }

    Cost cost() const override {
        const std::set<std::uint32_t> met(chosen_.begin(), chosen_.end());
        return product_cost(*case_.format, case_.shape->in, case_.shape->out, case_.shape->epilogue,
                            routed_rows(), x_rows(), static_cast<std::uint32_t>(met.size()));
    }

    std::string why(Device& device) const override {
        return path_reason(path_, device, Rows::grouped, *case_.format, routing_.expert_rows,
                           case_.shape->out);
    }

private:
    std::uint32_t routed_rows() const { return static_cast<std::uint32_t>(chosen_.size()); }
    std::uint32_t x_rows() const { return goes_up(*case_.shape) ? case_.rows : routed_rows(); }
    std::uint32_t width() const {
        return goes_up(*case_.shape) ? case_.shape->out / 2 : case_.shape->out;
    }

    Tensor product(Stream& s) {
        return goes_up(*case_.shape) ? ops::experts_up(s, experts_.weights, x_, routing_)
                                     : ops::experts_down(s, experts_.weights, x_, routing_);
    }

    void check_once(Stream& s, Data data, ErrorMeter& meter) {
        const std::uint32_t in = case_.shape->in;
        const auto x = numbers_.rows(x_rows(), in, data);
        x_ = Operand(s, x, {x_rows(), in, 1});
        s.clear_profile();
        begin(s);
        std::vector<float> y(std::size_t{routed_rows()} * width());
        s.download(product(s), std::span(y));
        s.wait();
        meter.count_not_finite(y);
        const Tolerance tolerance = product_tolerance(in, s.profile());
        for (const std::uint32_t row : spread(routed_rows(), 9)) {
            const std::size_t from = row / (routed_rows() / x_rows());
            for (const SampledOutput& output : experts_.samples[chosen_[row]].outputs(data)) {
                const Exact exact = output.product(std::span(x).subspan(from * in, in));
                meter.add(y[std::size_t{row} * width() + output.column], exact.value,
                          exact.allowed(tolerance));
            }
        }
    }

    Case case_;
    const ModelShape& model_;
    ops::MatmulPath path_;
    const DeviceExperts& experts_;
    Operand logits_, x_;
    std::vector<std::uint32_t> chosen_;  // the expert of each routed row
    ops::Routing routing_;
    Numbers numbers_{8};
};

}  // namespace

DeviceExperts::DeviceExperts(Stream& s, const Case& c) : shape(c.shape), format(*c.format) {
    const ModelShape& model = *shape->model;
    const RandomWeight file(format, shape->out, shape->in);
    Weight weight{0, shape->out, shape->in, format};
    const std::uint64_t slot_bytes = (weight.bytes() + 4095) / 4096 * 4096;
    buffer_ = Buffer(s.device(), slot_bytes * model.experts, Memory::device, "experts");
    std::vector<std::uint32_t> slots;
    for (std::uint32_t e = 0; e < model.experts; ++e) {
        slots.push_back(model.experts - 1 - e);
        weight.address = buffer_.address() + slots.back() * slot_bytes;
        file.upload(s, weight, e * shift);
        samples.emplace_back(file, shape->epilogue, e * shift);
    }
    weight.address = buffer_.address();
    slots_ = Operand(s, slots, {model.experts, 1, 1});
    s.wait();
    const WeightStack stack{weight, slot_bytes, slots_};
    // What the other product would be like: route() makes tiles for both.
    WeightStack other = stack;
    const bool up = goes_up(*shape);
    other.first.out_dim = up ? model.hidden : 2 * model.intermediate;
    other.first.in_dim = up ? model.intermediate : model.hidden;
    weights.w1 = up ? stack : other;
    weights.w2 = up ? other : stack;
}

std::unique_ptr<Work> make_experts(Stream& s, const Case& c, const Paths& paths, Kept& kept) {
    return std::make_unique<ExpertsWork>(s, c, paths, kept);
}

}  // namespace assay::bench
