// Products by matrices of any size: each size of tile, each epilogue, and both ways to fill them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/half.h"
#include "runtime/ops/tiling.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

using ops::FlexibleCut;

// Both operands are rounded to halves; the rest as in matmul_test.cpp, and a gate as in
// experts_test.cpp.
double allowed(std::uint32_t in_dim) {
    return (20 + std::sqrt(in_dim)) * test::rounding + 2.1 * 2 * 0x1p-11;
}

// Small whole numbers, whose products are exact.
float element(std::size_t i) {
    return static_cast<float>(static_cast<int>(i * 2654435761u >> 27 & 15) - 8);
}

void expect_exact(const FlexibleCut& cut, Loads loads) {
    constexpr std::uint32_t rows = 37, out_dim = 75, in_dim = 64;
    Stream s(test::device(), {.guard = true});
    ASSERT_TRUE(ops::fits(s.device().info(), cut));
    test::FileWeight file{Format::f16, out_dim, in_dim, {}};
    std::vector<float> x, exact;
    for (std::size_t i = 0; i < std::size_t{out_dim} * in_dim; ++i) {
        const std::uint16_t half = float_to_half(element(i));
        file.bytes.push_back(static_cast<std::byte>(half & 0xff));
        file.bytes.push_back(static_cast<std::byte>(half >> 8));
    }
    for (std::size_t i = 0; i < std::size_t{rows} * in_dim; ++i) x.push_back(element(7 * i + 3));
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t o = 0; o < out_dim; ++o) {
            float sum = 0;
            for (std::size_t k = 0; k < in_dim; ++k)
                sum += element(o * in_dim + k) * x[r * in_dim + k];
            exact.push_back(sum);
        }
    const test::DeviceWeight w(s, file);
    const auto y = test::download(
        s,
        ops::matmul(s, w, test::upload(s, x, {rows, in_dim, 1}), ops::MatmulPath::coopmat2,
                    ops::flexible_tiling(s.device().info(), Format::f16, Rows::all, cut, loads)));
    s.wait();
    EXPECT_EQ(y, exact) << cut.tile_rows << " x " << cut.tile_columns << " x " << cut.depth;
}

void skip_without_tier() {
    if (test::device().has(Tier::coopmat2)) return;
    const std::string& note = test::device().info().tier(Tier::coopmat2).note;
    EXPECT_FALSE(note.starts_with("its probe")) << note;
    GTEST_SKIP() << note;
}

}  // namespace

// Of these depths, 24 does not divide in_dim.
TEST(FlexibleMatrices, TilesOfEverySizeAreExact) {
    skip_without_tier();
    if (testing::Test::IsSkipped()) return;
    const DeviceInfo& device = test::device().info();
    bool tried = false;
    for (const FlexibleCut cut : {FlexibleCut{8, 16, 16, 0},
                                  {16, 16, 8, 0},
                                  {8, 32, 8, 0},
                                  {8, 16, 24, 0},
                                  {16, 32, 16, 0}}) {
        if (!ops::fits(device, cut) || (device.is_cpu && cut.tile_rows * cut.tile_columns > 256))
            continue;
        expect_exact(cut, Loads::elements);
        tried = true;
    }
    EXPECT_TRUE(tried);
}

TEST(FlexibleMatrices, ReadThroughTensorLayoutsAreExact) {
    skip_without_tier();
    if (testing::Test::IsSkipped()) return;
    const DeviceInfo& device = test::device().info();
    if (!device.tensor_loads) GTEST_SKIP() << device.name << " has no tensor loads";
    for (const FlexibleCut& cut : ops::flexible_cuts_to_try(device, 200))
        expect_exact(cut, Loads::tensor);
}

TEST(FlexibleMatrices, EveryEpilogueMatchesReference) {
    skip_without_tier();
    if (testing::Test::IsSkipped()) return;
    constexpr std::uint32_t rows = 19, out_dim = 70, in_dim = 64;
    test::Random random(5);
    for (const bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        const auto file = test::random_weight(Format::q8_0, out_dim, in_dim, random);
        const auto x = random.normals(rows * in_dim), old = random.normals(rows * out_dim);
        const auto expected = reference::matmul(file.values(), x, in_dim, {}),
                   expected_sum = reference::matmul(file.values(), x, in_dim, old);
        reference::Expected expected_gated;
        for (std::size_t i = 0; i < expected.values.size(); i += 2) {
            const double gate = expected.values[i], up = expected.values[i + 1];
            const double silu = gate / (1 + std::exp(-gate));
            expected_gated.values.push_back(silu * up);
            expected_gated.magnitudes.push_back(1.1 * expected.magnitudes[i] * std::fabs(up) +
                                                std::fabs(silu) * expected.magnitudes[i + 1]);
        }
        const test::DeviceWeight w(s, file);
        const Tensor device_x = test::upload(s, x, {rows, in_dim, 1});
        const Tensor sum = test::upload(s, old, {rows, out_dim, 1});
        ops::matmul_add(s, w, device_x, sum, ops::MatmulPath::coopmat2);
        const auto y = test::download(s, ops::matmul(s, w, device_x, ops::MatmulPath::coopmat2));
        const auto summed = test::download(s, sum);
        const auto gated =
            test::download(s, ops::matmul_swiglu(s, w, device_x, ops::MatmulPath::coopmat2));
        s.wait();
        const std::string what = bound ? ", bound" : "";
        test::expect_close(y, expected, allowed(in_dim), "stored" + what);
        test::expect_close(summed, expected_sum, allowed(in_dim), "added" + what);
        test::expect_close(gated, expected_gated, allowed(in_dim), "gated" + what);
    }
}

// A format has its own decoder here, or none.
TEST(FlexibleMatrices, ServeTheFormatsWithADecoder) {
    for (const Format format : test::all_formats()) {
        const bool has_one =
            format == Format::f16 || format == Format::bf16 || info(format).integers;
        ASSERT_EQ(ops::decoded(format).has_value(), has_one) << info(format).name;
        if (!has_one) continue;
        const auto kernel = kernels::coopmat2(*ops::decoded(format), Loads::tensor, Rows::grouped);
        EXPECT_EQ(all_kernels()[kernel.index].name,
                  "coopmat2." + std::string(info(format).name) + ".tensor.grouped");
    }
}

TEST(FlexibleMatrices, ServeManyRowsOfDevicesWithTensorLoads) {
    DeviceInfo gpu;
    for (const Tier tier : {Tier::coopmat, Tier::coopmat2})
        gpu.tiers.at(static_cast<std::size_t>(tier)).on = true;
    using ops::MatmulPath;
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 512).path, MatmulPath::coopmat);
    gpu.tensor_loads = true;
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 512).path, MatmulPath::coopmat2);
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 17).path, MatmulPath::coopmat2);
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 16).path, MatmulPath::coopmat);
    EXPECT_EQ(ops::matmul_choice(gpu, Format::iq3_s, 512).path, MatmulPath::coopmat);
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 512, true).path, MatmulPath::dot);
    gpu.tiers.at(static_cast<std::size_t>(Tier::coopmat2)).on = false;
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 512).path, MatmulPath::coopmat);
}

}  // namespace assay
