#include "bench/kernels/operands.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "bench/random_blocks.h"
#include "model/formats/dequantise.h"

namespace assay::bench {

float Numbers::normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return static_cast<float>(radius * std::cos(2 * std::numbers::pi * uniform()));
}

std::vector<float> Numbers::rows(std::uint32_t rows, std::uint32_t row_size, Data data) {
    // Normal numbers are slow to make, and any few thousand of them are as good as more.
    std::vector<float> made(4093);
    for (float& value : made) value = normal();
    std::vector<float> values;
    values.reserve(std::size_t{rows} * row_size);
    std::uint32_t next = below(static_cast<std::uint32_t>(made.size()));
    for (std::uint32_t r = 0; r < rows; ++r) {
        const std::uint32_t turn = data == Data::random ? 0 : turn_++ % adversarial_kinds;
        for (std::uint32_t i = 0; i < row_size; ++i) {
            const float value = made[next++ % made.size()];
            switch (turn) {
                case 1:
                    values.push_back(i % 97 == 5 ? 1000 * value : value);
                    break;
                case 2:
                    values.push_back(1e-25F * value);
                    break;
                case 3:
                    values.push_back(i % 2 == 0 ? 1.0F : -1.0F);
                    break;
                case 4:
                    values.push_back(0);
                    break;
                default:
                    values.push_back(value);
            }
        }
    }
    return values;
}

Operand::Operand(Stream& s, std::span<const std::byte> values, std::array<std::uint32_t, 3> shape)
    : buffer_(s.device(), values.size(), Memory::device, "operand"),
      tensor_{buffer_.address(), shape} {
    std::vector<std::uint32_t> words(values.size() / 4);
    std::memcpy(words.data(), values.data(), values.size());
    const Tensor source = s.upload(std::span<const std::uint32_t>(words));
    s.copy(source, {buffer_.address(), source.shape});
}

RandomWeight::RandomWeight(Format format, std::uint32_t out_dim, std::uint32_t in_dim)
    : format_(format),
      out_dim_(out_dim),
      in_dim_(in_dim),
      row_bytes_(row_bytes(format, in_dim)),
      made_(period * row_bytes_) {
    RandomBlocks random(out_dim + std::uint64_t{in_dim} * 3 + static_cast<std::uint64_t>(format));
    const double deviation = 1 / std::sqrt(in_dim);
    for (std::uint32_t r = 0; r < period; ++r) {
        const Kind of = kind(r);
        random.fill(format,
                    of == Kind::subnormal ? 1e-6 * deviation
                    : of == Kind::large   ? 64 * deviation
                    : of == Kind::zero    ? 0
                                          : deviation,
                    std::span(made_).subspan(r * row_bytes_, row_bytes_));
    }
}

RandomWeight::Kind RandomWeight::kind(std::uint32_t made_row) {
    switch (made_row % 16) {
        case 5:
            return Kind::subnormal;
        case 9:
            return Kind::large;
        case 12:
            return Kind::zero;
        default:
            return Kind::usual;
    }
}

void RandomWeight::copy_rows(std::uint32_t first, std::span<std::byte> to) const {
    for (std::size_t at = 0; at < to.size(); at += row_bytes_)
        std::memcpy(&to[at], &made_[(first + at / row_bytes_) % period * row_bytes_], row_bytes_);
}

std::vector<float> RandomWeight::row(std::uint32_t row) const {
    std::vector<std::byte> blocks(row_bytes_);
    copy_rows(row, blocks);
    std::vector<float> weights(in_dim_);
    dequantise(format_, blocks, weights);
    return weights;
}

void RandomWeight::upload(Stream& s, const Weight& to, std::uint32_t shift) const {
    constexpr std::uint64_t most_bytes = 32 << 20;
    const auto most_rows = std::min<std::uint32_t>(
        out_dim_,
        static_cast<std::uint32_t>(std::max<std::uint64_t>(most_bytes / row_bytes_ / 2 * 2, 2)));
    const Buffer staging(s.device(), (most_rows * row_bytes_ + 3) / 4 * 4, Memory::upload,
                         "rows of a weight");
    for (std::uint32_t row = 0; row < out_dim_; row += most_rows) {
        const std::uint32_t rows = std::min(most_rows, out_dim_ - row);
        copy_rows(row + shift, staging.host().first(rows * row_bytes_));
        ops::repack(s, {.address = staging.address(), .shape = {1, 1, 1}}, rows, row, to);
        s.wait();
    }
}

DeviceWeight::DeviceWeight(Stream& s, Format format, std::uint32_t out_dim, std::uint32_t in_dim)
    : file(format, out_dim, in_dim), weight{0, out_dim, in_dim, format} {
    buffer = Buffer(s.device(), weight.bytes(), Memory::device, "weight");
    weight.address = buffer.address();
    file.upload(s, weight);
}

std::vector<std::uint32_t> spread(std::uint32_t count, std::uint32_t most) {
    std::vector<std::uint32_t> some;
    if (count <= most) {
        for (std::uint32_t i = 0; i < count; ++i) some.push_back(i);
        return some;
    }
    for (std::uint32_t i = 0; i < most; ++i)
        some.push_back(static_cast<std::uint32_t>(std::uint64_t{i} * (count - 1) / (most - 1)));
    return some;
}

}  // namespace assay::bench
