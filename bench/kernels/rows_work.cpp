#include <cmath>
#include <cstring>
#include <stdexcept>

#include "bench/kernels/work.h"
#include "tests/reference/reference.h"

namespace assay::bench {
namespace {

// An operation that makes each row of its result of one row of its operands.
class RowsWork : public Work {
public:
    explicit RowsWork(const Case& c) : case_(c) {}

    Errors check(Stream& s, Data data) override {
        fill(s, data);
        const std::uint32_t width = case_.shape->out;
        std::vector<float> y(std::size_t{case_.rows} * width);
        s.download(compute(s), std::span(y));
        s.wait();
        ErrorMeter meter;
        meter.count_not_finite(y);
        for (const std::uint32_t row : spread(case_.rows, 9)) {
            const reference::Expected exact = exact_row(row);
            for (const std::uint32_t i : spread(width, 129))
                meter.add(y[std::size_t{row} * width + i], exact.values[i],
                          roundings() * 0x1p-24 * exact.magnitudes[i]);
        }
        return meter.errors();
    }
    void run(Stream& s) override { compute(s); }

protected:
    virtual void fill(Stream& s, Data data) = 0;
    virtual Tensor compute(Stream& s) = 0;
    virtual reference::Expected exact_row(std::uint32_t row) const = 0;
    virtual double roundings() const = 0;  // that a value may be off by

    std::span<const float> row_of(const std::vector<float>& x, std::uint32_t row) const {
        return std::span(x).subspan(std::size_t{row} * case_.shape->in, case_.shape->in);
    }
    // Moving rows * out values of 4 bytes each, `operands` times.
    double value_bytes(double operands) const {
        return 4.0 * operands * case_.rows * case_.shape->out;
    }

    Case case_;
    Numbers numbers_{11};
};

class RmsnormWork : public RowsWork {
public:
    using RowsWork::RowsWork;
    Cost cost() const override {
        return {.bytes = value_bytes(2) + 4.0 * case_.shape->in,
                .flops = 4.0 * case_.rows * case_.shape->in};
    }

protected:
    void fill(Stream& s, Data data) override {
        x_ = numbers_.rows(case_.rows, case_.shape->in, data);
        w_ = numbers_.rows(1, case_.shape->in, Data::random);
        on_device_ = Operand(s, x_, {case_.rows, case_.shape->in, 1});
        weight_ = Operand(s, w_, {1, case_.shape->in, 1});
    }
    Tensor compute(Stream& s) override { return ops::rmsnorm(s, on_device_, weight_, eps); }
    reference::Expected exact_row(std::uint32_t row) const override {
        return reference::rmsnorm(row_of(x_, row), w_, eps);
    }
    // Half of a sum's relative error, by the square root; four operations behind it.
    double roundings() const override { return 8 + std::sqrt(case_.shape->in) / 2; }

private:
    static constexpr float eps = 1e-5F;
    std::vector<float> x_, w_;
    Operand on_device_, weight_;
};

class SwigluWork : public RowsWork {
public:
    using RowsWork::RowsWork;
    Cost cost() const override {
        return {.bytes = value_bytes(3), .flops = 5.0 * case_.rows * case_.shape->in};
    }

protected:
    void fill(Stream& s, Data data) override {
        gate_ = numbers_.rows(case_.rows, case_.shape->in, data);
        up_ = numbers_.rows(case_.rows, case_.shape->in, Data::random);
        for (float& value : gate_) value = std::fmax(value, -80.0F);  // e^80 is a number in f32
        gate_on_device_ = Operand(s, gate_, {case_.rows, case_.shape->in, 1});
        up_on_device_ = Operand(s, up_, {case_.rows, case_.shape->in, 1});
    }
    Tensor compute(Stream& s) override { return ops::silu_mul(s, gate_on_device_, up_on_device_); }
    reference::Expected exact_row(std::uint32_t row) const override {
        auto exact = reference::silu_mul(row_of(gate_, row), row_of(up_, row));
        for (std::size_t i = 0; i < exact.magnitudes.size();
             ++i)  // exp() is off by its argument's share
            exact.magnitudes[i] *= 1 + std::fabs(row_of(gate_, row)[i]) / 8;
        return exact;
    }
    double roundings() const override { return 16; }

private:
    std::vector<float> gate_, up_;
    Operand gate_on_device_, up_on_device_;
};

// Rows of a table of 2048.
class GatherWork : public RowsWork {
public:
    using RowsWork::RowsWork;
    Cost cost() const override { return {.bytes = value_bytes(2) + 4.0 * case_.rows}; }

protected:
    void fill(Stream& s, Data data) override {
        table_ = numbers_.rows(table_rows, case_.shape->in, data);
        rows_.clear();
        for (std::uint32_t r = 0; r < case_.rows; ++r) rows_.push_back(numbers_.below(table_rows));
        on_device_ = Operand(s, table_, {table_rows, case_.shape->in, 1});
        wanted_ = Operand(s, rows_, {case_.rows, 1, 1});
    }
    Tensor compute(Stream& s) override { return ops::gather(s, on_device_, wanted_); }
    reference::Expected exact_row(std::uint32_t row) const override {
        const auto values = row_of(table_, rows_[row]);
        return {{values.begin(), values.end()}, std::vector<double>(values.size())};
    }
    double roundings() const override { return 0; }

private:
    static constexpr std::uint32_t table_rows = 2048;
    std::vector<float> table_;
    std::vector<std::uint32_t> rows_;
    Operand on_device_, wanted_;
};

class EmbedWork : public RowsWork {
public:
    EmbedWork(Stream& s, const Case& c, Kept& kept)
        : RowsWork(c), table_(kept.weight(s, c, c.shape->in, c.shape->out)) {}
    Cost cost() const override {
        return {.bytes =
                    value_bytes(1) +
                    static_cast<double>(case_.rows * row_bytes(*case_.format, case_.shape->out))};
    }

protected:
    void fill(Stream& s, Data data) override {
        tokens_.clear();
        while (tokens_.size() < case_.rows) {
            const std::uint32_t token = numbers_.below(case_.shape->in);
            if (data == Data::adversarial || RandomWeight::is_usual(token))
                tokens_.push_back(token);
        }
        on_device_ = Operand(s, tokens_, {case_.rows, 1, 1});
    }
    Tensor compute(Stream& s) override { return ops::embed(s, table_.weight, on_device_); }
    reference::Expected exact_row(std::uint32_t row) const override {
        reference::Expected exact;
        for (const float value : table_.file.row(tokens_[row])) {
            exact.values.push_back(value);
            exact.magnitudes.push_back(std::fabs(value));
        }
        return exact;
    }
    // A minimum that is taken away may leave little of a value.
    double roundings() const override { return 32; }

private:
    const DeviceWeight& table_;
    std::vector<std::uint32_t> tokens_;
    Operand on_device_;
};

// A weight as in a file becomes one in panels.
class RepackWork : public Work {
public:
    RepackWork(Stream& s, const Case& c, Kept& kept)
        : weight_(kept.weight(s, c, c.shape->out, c.shape->in)) {
        rows_.resize(c.shape->out * row_bytes(*c.format, c.shape->in));
        weight_.file.copy_rows(0, rows_);
        words_.resize((rows_.size() + 3) / 4);
        std::memcpy(words_.data(), rows_.data(), rows_.size());
        source_ = Operand(s, words_, {static_cast<std::uint32_t>(words_.size()), 1, 1});
        packed_ = Buffer(s.device(), weight_.weight.bytes(), Memory::device, "packed weight");
        s.wait();
    }

    // Each unit of a row lies where shaders/shared.h says.
    Errors check(Stream& s, Data) override {
        run(s);
        std::vector<std::uint32_t> packed((weight_.weight.bytes() + 3) / 4);
        const auto size = static_cast<std::uint32_t>(packed.size());
        s.download({packed_.address(), {size, 1, 1}}, std::span(packed));
        s.wait();
        const std::uint32_t unit = info(weight_.weight.format).unit_bytes;
        const std::uint64_t row_units =
            row_bytes(weight_.weight.format, weight_.weight.in_dim) / unit;
        const auto* bytes = reinterpret_cast<const std::byte*>(packed.data());
        ErrorMeter meter;
        for (const std::uint32_t row : spread(weight_.weight.out_dim, 33))
            for (std::uint64_t u = 0; u < row_units; ++u) {
                const std::uint64_t at =
                    (row / panel_rows * row_units + u) * panel_rows + row % panel_rows;
                meter.add(std::memcmp(bytes + at * unit, &rows_[(row * row_units + u) * unit],
                                      unit) == 0);
            }
        return meter.errors();
    }

    void run(Stream& s) override {
        Weight to = weight_.weight;
        to.address = packed_.address();
        ops::repack(s, source_, to.out_dim, 0, to);
    }
    Cost cost() const override { return {.bytes = 2.0 * static_cast<double>(rows_.size())}; }

private:
    const DeviceWeight& weight_;
    std::vector<std::byte> rows_;
    std::vector<std::uint32_t> words_;
    Operand source_;
    Buffer packed_;
};

}  // namespace

std::unique_ptr<Work> make_rows(Stream& s, const Case& c, Kept& kept) {
    switch (c.shape->operation) {
        case Operation::embed:
            return std::make_unique<EmbedWork>(s, c, kept);
        case Operation::repack:
            return std::make_unique<RepackWork>(s, c, kept);
        case Operation::rmsnorm:
            return std::make_unique<RmsnormWork>(c);
        case Operation::swiglu:
            return std::make_unique<SwigluWork>(c);
        case Operation::gather:
            return std::make_unique<GatherWork>(c);
        default:
            throw std::logic_error("not an operation on rows");
    }
}

}  // namespace assay::bench
