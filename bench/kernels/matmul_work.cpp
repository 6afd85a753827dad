#include "bench/kernels/cost.h"
#include "bench/kernels/products.h"
#include "bench/kernels/work.h"

namespace assay::bench {
namespace {

class MatmulWork : public Work {
public:
    MatmulWork(Stream& s, const Case& c, const Paths& paths, Kept& kept)
        : case_(c),
          path_(paths.matmul),
          weight_(kept.weight(s, c, c.shape->out, c.shape->in)),
          samples_(weight_.file, c.shape->epilogue) {}

    Errors check(Stream& s, Data data) override {
        ErrorMeter meter;
        // So many runs that every kind of row is met.
        const std::uint32_t runs =
            data == Data::random || case_.rows >= adversarial_kinds ? 1 : adversarial_kinds;
        for (std::uint32_t i = 0; i < runs; ++i) check_once(s, data, meter);
        return meter.errors();
    }

    void run(Stream& s) override { product(s); }

    Cost cost() const override {
        return product_cost(*case_.format, case_.shape->in, case_.shape->out, case_.shape->epilogue,
                            case_.rows, case_.rows, 1);
    }

    std::string why(Device& device) const override {
        return path_reason(path_, device, Rows::all, *case_.format, case_.rows, case_.shape->out);
    }

private:
    std::uint32_t width() const {
        return case_.shape->epilogue == Epilogue::swiglu ? case_.shape->out / 2 : case_.shape->out;
    }

    Tensor product(Stream& s) {
        switch (case_.shape->epilogue) {
            case Epilogue::swiglu:
                return ops::matmul_swiglu(s, weight_.weight, x_, path_);
            case Epilogue::add:
                ops::matmul_add(s, weight_.weight, x_, y_, path_);
                return y_;
            case Epilogue::store:
                break;
        }
        return ops::matmul(s, weight_.weight, x_, path_);
    }

    void check_once(Stream& s, Data data, ErrorMeter& meter) {
        const std::uint32_t rows = case_.rows, in = case_.shape->in;
        const auto x = numbers_.rows(rows, in, data);
        x_ = Operand(s, x, {rows, in, 1});
        std::vector<float> before;
        if (case_.shape->epilogue == Epilogue::add) {
            before = numbers_.rows(rows, width(), Data::random);
            y_ = Operand(s, before, {rows, width(), 1});
        }
        s.clear_profile();
        std::vector<float> y(std::size_t{rows} * width());
        s.download(product(s), std::span(y));
        s.wait();
        meter.count_not_finite(y);
        const Tolerance tolerance = product_tolerance(in, s.profile());
        for (const std::uint32_t row : spread(rows, 9))
            for (const SampledOutput& output : samples_.outputs(data)) {
                const std::size_t at = std::size_t{row} * width() + output.column;
                const Exact exact = output.product(std::span(x).subspan(std::size_t{row} * in, in),
                                                   before.empty() ? 0 : before[at]);
                meter.add(y[at], exact.value, exact.allowed(tolerance));
            }
    }

    Case case_;
    ops::MatmulPath path_;
    const DeviceWeight& weight_;
    ProductSamples samples_;
    Numbers numbers_{7};
    Operand x_, y_;
};

}  // namespace

std::unique_ptr<Work> make_matmul(Stream& s, const Case& c, const Paths& paths, Kept& kept) {
    return std::make_unique<MatmulWork>(s, c, paths, kept);
}

}  // namespace assay::bench
