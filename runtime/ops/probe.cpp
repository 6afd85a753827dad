#include "runtime/ops/probe.h"

#include <vector>

#include "runtime/buffer.h"
#include "runtime/error.h"
#include "runtime/half.h"
#include "runtime/ops.h"

namespace assay::ops {
namespace {

// Small whole numbers without a pattern: a product of some hundred of them is exact in f32.
int element(std::uint32_t i) { return static_cast<int>(i * 2654435761u >> 28) - 8; }

// x w^T of halves on one path, compared with the exact answer.
std::optional<std::string> probe_matmul(Device& device, MatmulPath path) {
    constexpr std::uint32_t out_dim = 72, in_dim = 160;
    std::vector<std::uint16_t> halves(out_dim * in_dim);
    for (std::uint32_t i = 0; i < halves.size(); ++i)
        halves[i] = float_to_half(static_cast<float>(element(i)));
    Weight w{.address = 0, .out_dim = out_dim, .in_dim = in_dim, .format = Format::f16};
    const Buffer buffer(device, w.bytes(), Memory::device, "probe");
    w.address = buffer.address();
    for (const std::uint32_t rows : {5u, 40u, 100u}) {
        Stream s(device);
        repack(s, s.upload(std::span(reinterpret_cast<const std::uint32_t*>(halves.data()),
                                     halves.size() / 2)),
               out_dim, 0, w);
        std::vector<float> x(rows * in_dim), y(rows * out_dim);
        for (std::uint32_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(element(7 * i + 3));
        Tensor input = s.upload(std::span<const float>(x));
        input.shape = {rows, in_dim, 1};
        s.download(matmul(s, w, input, path), std::span<float>(y));
        s.wait();
        for (std::uint32_t r = 0; r < rows; ++r)
            for (std::uint32_t o = 0; o < out_dim; ++o) {
                int exact = 0;
                for (std::uint32_t k = 0; k < in_dim; ++k)
                    exact += element(o * in_dim + k) * element(7 * (r * in_dim + k) + 3);
                if (y[r * out_dim + o] != static_cast<float>(exact))
                    return std::to_string(y[r * out_dim + o]) + " in place of " +
                           std::to_string(exact) + " in a product of " + std::to_string(rows) +
                           " rows";
            }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> probe(Device& device, Tier tier) {
    try {
        if (tier == Tier::coopmat) return probe_matmul(device, MatmulPath::coopmat);
    } catch (const Error& error) {
        return error.what();
    }
    return std::nullopt;
}

}  // namespace assay::ops
