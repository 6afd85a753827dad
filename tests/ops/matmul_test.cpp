#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "runtime/half.h"
#include "runtime/ops/tiling.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

using ops::MatmulPath;

struct Shape {
    std::uint32_t rows, out_dim, in_dim;
};

// Each size around what an invocation, a panel and a tile take, and a real model's. Where in_dim is
// no multiple of a format's block, that case is left out for it.
constexpr Shape shapes[] = {
    {1, 1, 32},     {1, 31, 64},   {1, 32, 256},   {1, 33, 512},   {1, 257, 96},
    {1, 256, 4096}, {2, 63, 256},  {2, 64, 96},    {4, 65, 256},   {4, 33, 32},
    {7, 1, 512},    {7, 96, 256},  {8, 32, 64},    {9, 257, 256},  {16, 31, 256},
    {16, 64, 32},   {17, 65, 512}, {31, 33, 256},  {32, 64, 256},  {33, 63, 96},
    {63, 1, 256},   {64, 65, 64},  {65, 257, 256}, {9, 256, 4096}, {144, 130, 256},
};

// What kernels do with a decoded weight is the same for every format, and building them takes
// seconds. So one format of each kind meets all shapes, and the others those that bring the
// narrowest and the widest of each kernel.
constexpr Format one_of_each_kind[] = {Format::f32,  Format::f16,  Format::q8_0, Format::q4_0,
                                       Format::q4_k, Format::q6_k, Format::iq3_s};
constexpr Shape few_shapes[] = {{1, 33, 512}, {65, 257, 256}};

bool stands_for_others(Format format) {
    return std::ranges::find(one_of_each_kind, format) != std::end(one_of_each_kind);
}

std::span<const Shape> shapes_for(Format format) {
    return stands_for_others(format) ? std::span<const Shape>(shapes) : few_shapes;
}

// Those to be tried with a format: what follows its decoder is the same code for every format.
std::vector<MatmulPath> paths_for(Format format, std::uint32_t rows, bool bound) {
    return test::matmul_paths(format == Format::f16 || (rows == 65 && !bound));
}

// A sum of n terms in any order is off by about sqrt(n) roundings of the sum of their magnitudes
// (Higham & Mary 2019), and no more than 4 are added by decoding the weight and by joining partial
// sums. Cooperative matrices round each operand to a half first.
double allowed(MatmulPath path, std::uint32_t in_dim) {
    constexpr double half_rounding = 0x1p-11;
    return (4 + std::sqrt(in_dim)) * test::rounding +
           (test::takes_halves(path) ? 2 * half_rounding : 0);
}

// A product of small whole numbers, which is exact in f32.
struct WholeNumbers {
    test::FileWeight file;
    std::vector<float> x, exact;
};
WholeNumbers whole_numbers(std::uint32_t rows, std::uint32_t out_dim, std::uint32_t in_dim) {
    const auto element = [](std::size_t i) {
        return static_cast<float>(static_cast<int>(i * 2654435761u >> 27 & 15) - 8);
    };
    WholeNumbers product{{Format::f16, out_dim, in_dim, {}}, {}, {}};
    for (std::size_t i = 0; i < std::size_t{out_dim} * in_dim; ++i) {
        const std::uint16_t half = float_to_half(element(i));
        product.file.bytes.push_back(static_cast<std::byte>(half & 0xff));
        product.file.bytes.push_back(static_cast<std::byte>(half >> 8));
    }
    for (std::size_t i = 0; i < std::size_t{rows} * in_dim; ++i)
        product.x.push_back(element(7 * i + 3));
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t o = 0; o < out_dim; ++o) {
            float sum = 0;
            for (std::size_t k = 0; k < in_dim; ++k)
                sum += element(o * in_dim + k) * product.x[r * in_dim + k];
            product.exact.push_back(sum);
        }
    return product;
}

class Matmul : public testing::TestWithParam<Format> {};
class MatmulCuts : public testing::TestWithParam<Format> {};

}  // namespace

TEST_P(Matmul, MatchesReferenceOnEveryPath) {
    const Format format = GetParam();
    Stream addressed(test::device(false), {.guard = true}),
        bound(test::device(true), {.guard = true});
    test::Random random(7);
    for (const auto& [rows, out_dim, in_dim] : shapes_for(format)) {
        if (in_dim % info(format).block_size != 0) continue;
        const auto file = test::random_weight(format, out_dim, in_dim, random);
        const auto x = random.normals(std::size_t{rows} * in_dim),
                   y = random.normals(std::size_t{rows} * out_dim);
        const auto weight = file.values();
        const auto product = reference::matmul(weight, x, in_dim, {}),
                   sum = reference::matmul(weight, x, in_dim, y);
        for (Stream* s : {&addressed, &bound}) {
            if (s == &bound && !stands_for_others(format)) continue;
            const test::DeviceWeight w(*s, file);
            const Tensor device_x = test::upload(*s, x, {rows, in_dim, 1});
            // Copied to scratch, behind which guard words lie.
            std::vector<std::uint32_t> every_row(rows);
            for (std::uint32_t i = 0; i < rows; ++i) every_row[i] = i;
            const Tensor device_y = test::upload(*s, y, {rows, out_dim, 1}),
                         all = test::upload(*s, every_row, {rows, 1, 1});
            std::vector<std::vector<float>> products, sums;
            const auto paths = paths_for(format, rows, s == &bound);
            for (const MatmulPath path : paths) {
                products.push_back(test::download(*s, ops::matmul(*s, w, device_x, path)));
                const Tensor accumulated = ops::gather(*s, device_y, all);
                ops::matmul_add(*s, w, device_x, accumulated, path);
                sums.push_back(test::download(*s, accumulated));
            }
            s->wait();
            for (std::size_t i = 0; i < products.size(); ++i) {
                const MatmulPath path = paths[i];
                const std::string what = test::name(path) + (s == &bound ? ", bound, " : ", ") +
                                         std::to_string(rows) + " rows, " +
                                         std::to_string(out_dim) + " x " + std::to_string(in_dim);
                test::expect_close(products[i], product, allowed(path, in_dim), what);
                test::expect_close(sums[i], sum, allowed(path, in_dim), what + ", accumulated");
            }
        }
    }
}

// Operands that are small whole numbers give exact sums on every path, so that not one term may be
// missing or met twice.
TEST(MatmulRows, WholeNumbersAreExact) {
    for (const bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const auto& [rows, out_dim, in_dim] : shapes) {
            const auto [file, x, exact] = whole_numbers(rows, out_dim, in_dim);
            const test::DeviceWeight w(s, file);
            const Tensor device_x = test::upload(s, x, {rows, in_dim, 1});
            std::vector<std::vector<float>> products;
            for (const MatmulPath path : test::matmul_paths())
                products.push_back(test::download(s, ops::matmul(s, w, device_x, path)));
            s.wait();
            for (std::size_t i = 0; i < products.size(); ++i)
                EXPECT_EQ(products[i], exact) << test::name(test::matmul_paths()[i]) << ", " << rows
                                              << " rows, " << out_dim << " x " << in_dim;
        }
    }
}

// GPUs take larger tiles than CPU implementations, which compile them for seconds.
TEST(MatmulRows, LargeMatrixTilesAreExact) {
    if (!test::device().has(Tier::coopmat))
        GTEST_SKIP() << test::device().info().tier(Tier::coopmat).note;
    constexpr std::uint32_t rows = 200, out_dim = 150, in_dim = 160;
    for (const ops::MatrixCut cut :
         {ops::MatrixCut{128, 32, 16, 32, 1}, {64, 64, 32, 32, 1}, {32, 64, 32, 16, 2}}) {
        Stream s(test::device(), {.guard = true, .dispatch_seconds = 0});
        const auto [file, x, exact] = whole_numbers(rows, out_dim, in_dim);
        const test::DeviceWeight w(s, file);
        const ops::Tiling t =
            ops::matrix_tiling(s.device().info(), Operands::f16, Format::f16, Rows::all, cut);
        const Tensor y = ops::matmul(s, w, test::upload(s, x, {rows, in_dim, 1}),
                                     ops::cut_of(MatmulPath::coopmat, cut));
        const auto product = test::download(s, y);
        s.wait();
        EXPECT_EQ(product, exact) << cut.tile_rows << " x " << cut.tile_columns;
        // However little a dispatch may take, it takes a whole tile.
        EXPECT_EQ(ops::rows_at_once(s, t, 1e15) % cut.tile_rows, 0u);
        EXPECT_GT(ops::rows_at_once(s, t, 1e15), 0u);
    }
}

// Cut into dispatches of 64 rows, as long work is on slow devices, the very same comes out.
TEST_P(MatmulCuts, ChangeNothing) {
    constexpr std::uint32_t rows = 200, in_dim = 256, out_dim = 65;
    Stream whole(test::device(), {.profile = true, .guard = true});
    Stream cut(test::device(), {.profile = true, .guard = true, .dispatch_seconds = 0});
    test::Random random(8);
    const auto file = test::random_weight(GetParam(), out_dim, in_dim, random);
    const auto x = random.normals(rows * in_dim);
    for (const MatmulPath path : paths_for(GetParam(), rows, false)) {
        std::vector<std::vector<float>> results;
        std::vector<std::size_t> dispatches;
        for (Stream* s : {&whole, &cut}) {
            const test::DeviceWeight w(*s, file);
            s->wait();
            s->clear_profile();
            results.push_back(test::download(
                *s, ops::matmul(*s, w, test::upload(*s, x, {rows, in_dim, 1}), path)));
            s->wait();
            dispatches.push_back(s->profile().size());
        }
        EXPECT_EQ(results[0], results[1]) << test::name(path);
        const std::size_t before = test::takes_halves(path) ? 1 : 0;  // x in halves
        EXPECT_EQ(dispatches, (std::vector{before + 1, before + 4})) << test::name(path);
    }
}

// In a batch-invariant stream a row has the same bits whatever the number of rows, on every path
// and however the work is cut; on the path of CPU implementations in every stream.
TEST(MatmulRows, NumberOfRowsChangesNoBit) {
    constexpr std::uint32_t most_rows = 70, out_dim = 65;
    struct Case {
        Format format;
        std::uint32_t in_dim, fewer;  // fewer: rows from one number of them to the next
    };
    Stream whole(test::device(), {.guard = true, .batch_invariant = true}),
        cut(test::device(), {.guard = true, .dispatch_seconds = 0, .batch_invariant = true}),
        usual(test::device(), {.guard = true});
    test::Random random(9);
    for (const auto& [format, in_dim, fewer] :
         {Case{Format::q4_k, 512, 1}, Case{Format::f16, 4096, 3}}) {
        const auto file = test::random_weight(format, out_dim, in_dim, random);
        const auto x = random.normals(std::size_t{most_rows} * in_dim);
        const auto expected = reference::matmul(file.values(), x, in_dim, {});
        for (const MatmulPath path : paths_for(format, most_rows, false)) {
            std::vector<std::uint32_t> all;
            for (Stream* s : {&whole, &cut, &usual}) {
                if (s == &usual && path != MatmulPath::direct) continue;
                const test::DeviceWeight w(*s, file);
                for (std::uint32_t rows = most_rows;; rows -= fewer) {
                    const Tensor some = test::upload(*s, x, {most_rows, in_dim, 1}).slice(0, rows);
                    const auto y = test::download(*s, ops::matmul(*s, w, some, path));
                    s->wait();
                    if (all.empty()) {
                        test::expect_close(y, expected, allowed(path, in_dim), test::name(path));
                        all = test::bits(y);
                    }
                    EXPECT_TRUE(std::ranges::equal(
                        test::bits(y), std::span(all).first(std::size_t{rows} * out_dim)))
                        << info(format).name << ", " << test::name(path) << ", " << rows << " rows";
                    if (rows == 1) break;
                }
            }
        }
    }
}

TEST(MatmulRows, NoneAreNoWork) {
    Stream s(test::device(), {.profile = true});
    test::Random random(10);
    const test::DeviceWeight w(s, test::random_weight(Format::f16, 65, 32, random));
    s.wait();
    s.clear_profile();
    const Tensor x = s.scratch(1, 32);
    for (const MatmulPath path : test::matmul_paths())
        EXPECT_EQ(ops::matmul(s, w, x.slice(0, 0), path).rows(), 0u);
    s.wait();
    EXPECT_TRUE(s.profile().empty());
}

std::string format_name(const testing::TestParamInfo<Format>& format) {
    return std::string(info(format.param).name);
}

INSTANTIATE_TEST_SUITE_P(Formats, Matmul, testing::ValuesIn(test::all_formats()), format_name);
INSTANTIATE_TEST_SUITE_P(Kinds, MatmulCuts, testing::ValuesIn(one_of_each_kind), format_name);

}  // namespace assay
