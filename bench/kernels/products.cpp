#include "bench/kernels/products.h"

#include <algorithm>
#include <cmath>

#include "runtime/ops/tiling.h"

namespace assay::bench {
namespace {

constexpr std::uint32_t most_usual = 17, most_unusual = 9;

struct Sum {
    double value = 0, magnitude = 0, operands = 0, blocks = 0;
};

Sum dot(std::span<const float> weights, std::span<const float> x) {
    constexpr std::size_t block = 32;  // as in quantise.comp
    Sum sum;
    double greatest = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (i % block == 0) {
            greatest = 0;
            for (const float element : x.subspan(i, std::min(block, x.size() - i)))
                greatest = std::max(greatest, std::fabs(double{element}));
        }
        const double term = double{weights[i]} * x[i];
        sum.value += term;
        sum.magnitude += std::fabs(term);
        sum.operands += std::fabs(x[i]);
        sum.blocks += std::fabs(weights[i]) * greatest;
    }
    return sum;
}

// Whether a kernel that ran rounds x to bytes in blocks.
bool takes_bytes(std::span<const ProfileEvent> events) {
    return std::ranges::any_of(
        events, [](const ProfileEvent& event) { return event.kernel.starts_with("dot"); });
}

}  // namespace

Exact SampledOutput::product(std::span<const float> x, double added) const {
    const Sum first = dot(weights, x);
    if (up.empty())
        return {first.value + added, first.magnitude + std::fabs(added), first.operands,
                first.blocks};
    // An error of the gate is multiplied by at most 1.1 |up|, the greatest slope of silu, one of
    // `up` by |silu(gate)|.
    const Sum second = dot(up, x);
    const double silu = first.value / (1 + std::exp(-first.value));
    const double of_gate = 1.1 * std::fabs(second.value), of_up = std::fabs(silu);
    return {silu * second.value, of_gate * first.magnitude + of_up * second.magnitude,
            (of_gate + of_up) * first.operands, of_gate * first.blocks + of_up * second.blocks};
}

ProductSamples::ProductSamples(const RandomWeight& file, Epilogue epilogue, std::uint32_t shift) {
    const bool pairs = epilogue == Epilogue::swiglu;
    const std::uint32_t width = pairs ? file.out_dim() / 2 : file.out_dim();
    const auto usual = [&](std::uint32_t column) {
        return pairs ? RandomWeight::is_usual(2 * column + shift) &&
                           RandomWeight::is_usual(2 * column + 1 + shift)
                     : RandomWeight::is_usual(column + shift);
    };
    // The next column of the kind, up or at the end down.
    const auto next = [&](std::uint32_t from, bool wanted) {
        std::uint32_t column = from;
        while (column < width && usual(column) != wanted) ++column;
        if (column < width) return column;
        for (column = from; column > 0 && usual(column) != wanted;) --column;
        return column;
    };
    for (const bool wanted : {true, false}) {
        std::uint32_t last = width;
        for (const std::uint32_t near : spread(width, wanted ? most_usual : most_unusual)) {
            const std::uint32_t column = next(near, wanted);
            if (column == last || usual(column) != wanted) continue;
            last = column;
            outputs_.push_back({column, file.row((pairs ? 2 * column : column) + shift),
                                pairs ? file.row(2 * column + 1 + shift) : std::vector<float>()});
        }
        if (wanted) usual_ = outputs_.size();
    }
}

std::span<const SampledOutput> ProductSamples::outputs(Data data) const {
    return std::span(outputs_).first(data == Data::random ? usual_ : outputs_.size());
}

bool takes_halves(std::span<const ProfileEvent> events) {
    return std::ranges::any_of(events, [](const ProfileEvent& event) {
        return event.kernel.find("coopmat") != event.kernel.npos &&
               !event.kernel.starts_with("dot");
    });
}

Tolerance product_tolerance(std::uint32_t in_dim, std::span<const ProfileEvent> events) {
    // A sum of n terms in any order is off by about sqrt(n) roundings of the sum of their
    // magnitudes (Higham & Mary 2019), and no more than 8 are added by decoding the weight, by
    // joining partial sums and by an epilogue.
    Tolerance by{.terms = (8 + std::sqrt(in_dim)) * 0x1p-24};
    if (takes_halves(events)) {
        by.terms += 2 * 0x1p-11;  // both operands are rounded to 11 bits, which devices may cut off
        by.operands = 0x1p-25;    // half a step of a subnormal half
    }
    if (takes_bytes(events)) by.blocks = (0.5 + 0x1p-15) / 127;  // half a step of the block's scale
    return by;
}

std::string path_reason(ops::MatmulPath asked, Device& device, Rows of, Format format,
                        std::uint32_t rows, std::uint32_t out_dim) {
    const bool int8 = asked == ops::MatmulPath::dot && info(format).integers;
    if (asked != ops::MatmulPath::automatic && !int8) return "asked for";
    if (ops::measured_cut(device, ops::product_class(of, format, rows, out_dim, int8)))
        return "tuned: measured to be the fastest on this device";
    return std::string(ops::matmul_choice(device.info(), format, rows, int8).reason);
}

}  // namespace assay::bench
