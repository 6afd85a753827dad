#include <cmath>

#include "bench/kernels/work.h"
#include "tests/reference/reference.h"

namespace assay::bench {
namespace {

// Chooses the experts of each token and sorts the rows by them.
class RouteWork : public Work {
public:
    RouteWork(Stream& s, const Case& c)
        : case_(c), model_(*c.shape->model), weights_(shapes_alone(model_)) {
        std::vector<std::uint32_t> slots;
        for (std::uint32_t e = 0; e < model_.experts; ++e) slots.push_back(e);
        slots_ = Operand(s, slots, {model_.experts, 1, 1});
        s.wait();
        weights_.w1.slots = weights_.w2.slots = slots_;
    }

    Errors check(Stream& s, Data data) override {
        auto logits = Numbers(3).rows(case_.rows, model_.experts, data);
        logits_ = Operand(s, logits, {case_.rows, model_.experts, 1});
        const ops::Routing routing = route(s);
        std::vector<std::uint32_t> chosen(routing.chosen.size());
        std::vector<float> weights(chosen.size());
        s.download(routing.chosen, std::span(chosen));
        s.download(routing.weights, std::span(weights));
        s.wait();
        const auto exact = reference::route(logits, model_.experts, model_.experts_used);
        ErrorMeter meter;
        meter.count_not_finite(weights);
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            meter.add(chosen[i] == exact.experts[i]);
            // exp() is off by its argument's share, which is at most thousands.
            const double difference = std::fabs(std::log(exact.weights[i]));
            meter.add(weights[i], exact.weights[i],
                      (16 + std::fmin(difference, 200)) * 0x1p-24 * exact.weights[i]);
        }
        return meter.errors();
    }

    void run(Stream& s) override { route(s); }

    Cost cost() const override {
        const double rows = case_.rows;
        // Logits; then of each routed row its expert, its weight and its place in the order.
        return {.bytes = 4 * rows * model_.experts + 3 * 4 * rows * model_.experts_used};
    }

private:
    // Of weights that no one multiplies with.
    static ops::ExpertWeights shapes_alone(const ModelShape& m) {
        ops::ExpertWeights weights;
        weights.w1.first = {0, 2 * m.intermediate, m.hidden, Format::q4_0};
        weights.w2.first = {0, m.hidden, m.intermediate, Format::q4_0};
        return weights;
    }

    ops::Routing route(Stream& s) { return ops::route(s, logits_, model_.experts_used, weights_); }

    Case case_;
    const ModelShape& model_;
    ops::ExpertWeights weights_;
    Operand slots_, logits_;
};

// Adds up what a token's experts say.
class CombineWork : public Work {
public:
    CombineWork(Stream& s, const Case& c) : case_(c), used_(c.shape->model->experts_used) {
        Numbers numbers(4);
        for (std::uint32_t i = 0; i < case_.rows * used_; ++i)
            shares_.push_back(static_cast<float>(numbers.uniform()));
        shares_on_device_ = Operand(s, shares_, {case_.rows, used_, 1});
        routing_.weights = shares_on_device_;
        s.wait();
    }

    Errors check(Stream& s, Data data) override {
        const std::uint32_t dim = case_.shape->in;
        const auto y = numbers_.rows(case_.rows * used_, dim, data),
                   x = numbers_.rows(case_.rows, dim, Data::random);
        y_ = Operand(s, y, {case_.rows * used_, dim, 1});
        x_ = Operand(s, x, {case_.rows, dim, 1});
        run(s);
        std::vector<float> sums(x.size());
        s.download(x_.tensor(), std::span(sums));
        s.wait();
        ErrorMeter meter;
        meter.count_not_finite(sums);
        for (const std::uint32_t row : spread(case_.rows, 9))
            for (const std::uint32_t i : spread(dim, 129)) {
                const std::size_t at = std::size_t{row} * dim + i;
                double sum = x[at], magnitude = std::fabs(x[at]);
                for (std::uint32_t k = 0; k < used_; ++k) {
                    const double term = double{shares_[row * used_ + k]} *
                                        y[(std::size_t{row} * used_ + k) * dim + i];
                    sum += term;
                    magnitude += std::fabs(term);
                }
                meter.add(sums[at], sum, (used_ + 2) * 0x1p-24 * magnitude);
            }
        return meter.errors();
    }

    void run(Stream& s) override { ops::combine_add(s, y_, routing_, x_); }

    Cost cost() const override {
        const double values = static_cast<double>(case_.rows) * case_.shape->in;
        return {.bytes = 4 * values * (used_ + 2) + 4.0 * case_.rows * used_,
                .flops = 2 * values * used_};
    }

private:
    Case case_;
    std::uint32_t used_;  // experts of a token
    std::vector<float> shares_;
    Operand shares_on_device_, y_, x_;
    ops::Routing routing_;
    Numbers numbers_{12};
};

}  // namespace

std::unique_ptr<Work> make_routing(Stream& s, const Case& c) {
    if (c.shape->operation == Operation::route) return std::make_unique<RouteWork>(s, c);
    return std::make_unique<CombineWork>(s, c);
}

}  // namespace assay::bench
