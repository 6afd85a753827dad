#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "runtime/ops.h"

// What kernels are given: random numbers, and such as bring out what random ones hide.
namespace assay::bench {

enum class Data : std::uint8_t { random, adversarial };

class Numbers {
public:
    explicit Numbers(std::uint32_t seed) : engine_(seed) {}
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(engine_()) % n; }
    double uniform() { return static_cast<double>(engine_()) * 0x1p-32; }  // in [0, 1)
    float normal();
    // Rows of normal numbers. Adversarial ones are in turn: as usual; with outliers a thousand
    // times as large; tiny; of one size with alternating signs; zero.
    std::vector<float> rows(std::uint32_t rows, std::uint32_t row_size, Data data);

private:
    std::mt19937 engine_;
    std::uint32_t turn_ = 0;  // of the kinds of adversarial rows
};
constexpr std::uint32_t adversarial_kinds = 5;

// 4-byte values in memory of the device.
class Operand {
public:
    Operand() = default;
    template <class T>
    Operand(Stream& s, const std::vector<T>& values, std::array<std::uint32_t, 3> shape)
        : Operand(s, std::as_bytes(std::span(values)), shape) {
        static_assert(sizeof(T) % 4 == 0);
    }

    const Tensor& tensor() const { return tensor_; }
    operator const Tensor&() const {
        return tensor_;
    }  // NOLINT(google-explicit-constructor): that is its purpose

private:
    Operand(Stream& s, std::span<const std::byte> values, std::array<std::uint32_t, 3> shape);

    Buffer buffer_;
    Tensor tensor_;
};

// A weight as a file would hold it, of random blocks. Row r is row r % period of those made, which
// is no multiple of any number of rows that kernels deal with. Of each 16 one has subnormal scales,
// one large ones, and one is all zero.
class RandomWeight {
public:
    static constexpr std::uint32_t period = 509;

    RandomWeight(Format format, std::uint32_t out_dim, std::uint32_t in_dim);

    std::uint32_t out_dim() const { return out_dim_; }
    std::uint32_t in_dim() const { return in_dim_; }
    Format format() const { return format_; }

    static bool is_usual(std::uint32_t row) { return kind(row % period) == Kind::usual; }
    std::vector<float> row(std::uint32_t row) const;  // decoded
    // Rows first ... as a file holds them, to.size() bytes of them.
    void copy_rows(std::uint32_t first, std::span<std::byte> to) const;
    // Brings it to the device. Row r there is row r + shift.
    void upload(Stream& s, const Weight& to, std::uint32_t shift = 0) const;

private:
    enum class Kind : std::uint8_t { usual, subnormal, large, zero };
    static Kind kind(std::uint32_t made_row);

    Format format_;
    std::uint32_t out_dim_, in_dim_;
    std::uint64_t row_bytes_;
    std::vector<std::byte> made_;
};

// A weight on the device.
struct DeviceWeight {
    RandomWeight file;
    Buffer buffer;
    Weight weight;

    DeviceWeight(Stream& s, Format format, std::uint32_t out_dim, std::uint32_t in_dim);
};

// Some of `count` things: the first, the last, and others evenly between, `most` at most.
std::vector<std::uint32_t> spread(std::uint32_t count, std::uint32_t most);

}  // namespace assay::bench
