#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "runtime/ops/tiling.h"
#include "tests/model/test_files.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

using ops::MatmulPath;

// x as the device quantises it.
struct Quantised {
    std::vector<int> values;    // (rows, dim)
    std::vector<float> scales;  // (rows, dim / 32)
    std::vector<int> sums;      // (rows, dim / 16)

    std::vector<float> x() const {
        std::vector<float> all;
        for (std::size_t i = 0; i < values.size(); ++i)
            all.push_back(static_cast<float>(values[i]) * scales[i / 32]);
        return all;
    }
};

Quantised quantise(Stream& s, const Tensor& x) {
    const ops::Packed packed = ops::pack(s, MatmulPath::dot, x);
    const auto words = test::download<std::uint32_t>(s, packed.values),
               blocks = test::download<std::uint32_t>(s, packed.scales);
    s.wait();
    Quantised q;
    for (std::size_t i = 0; i < 4 * words.size(); ++i)
        q.values.push_back(static_cast<std::int8_t>(words[i / 4] >> (8 * (i % 4)) & 0xff));
    for (std::size_t i = 0; i < blocks.size(); i += 2) {
        q.scales.push_back(std::bit_cast<float>(blocks[i]));
        q.sums.push_back(static_cast<std::int16_t>(blocks[i + 1] & 0xffff));
        q.sums.push_back(static_cast<std::int16_t>(blocks[i + 1] >> 16));
    }
    return q;
}

// Sums within a scale are exact; scales and minima, the scale of x, the sums of the blocks and of
// the slices are rounded, as are the reference's own weight and x.
double allowed(std::uint32_t in_dim) { return (8 + std::sqrt(in_dim / 32)) * test::rounding; }

std::vector<Format> formats_of_integers() {
    auto formats = test::all_formats();
    std::erase_if(formats, [](Format format) { return !info(format).integers; });
    return formats;
}

std::string format_name(const testing::TestParamInfo<Format>& format) {
    return std::string(info(format.param).name);
}

template <Tier tier>
class Needs : public testing::Test {
protected:
    void SetUp() override {
        for (const bool bound : {false, true})
            if (!test::device(bound).has(tier))
                GTEST_SKIP() << test::device(bound).info().tier(tier).note;
    }
};
class DotRows : public Needs<Tier::dot> {};
class Dot : public DotRows, public testing::WithParamInterface<Format> {};

// By cooperative matrices of bytes.
class DotMatrixRows : public Needs<Tier::coopmat_s8> {};
class DotMatrices : public DotMatrixRows, public testing::WithParamInterface<Format> {};

// Of two subgroups, and of four, in two slices: CPU implementations take seconds to compile more.
constexpr ops::MatrixCut small_cut{16, 16, 8, 16, 1}, cut_in_slices{16, 32, 16, 16, 2};

// One format of each kind meets both cuts: what differs in others is in their decoders alone.
std::vector<ops::MatrixCut> matrix_cuts(Format format) {
    if (format == Format::q8_0 || format == Format::q4_k || format == Format::q6_k)
        return {small_cut, cut_in_slices};
    return {small_cut};
}

// The test's device computes MatmulPath::dot by matrices in the products of a class.
class ByMatrices {
public:
    ByMatrices(bool bound, const ops::ProductClass& of, const ops::MatrixCut& cut)
        : device_(test::device(bound)) {
        ops::set_tuning(device_,
                        {.date = "", .choices = {{of, ops::cut_of(MatmulPath::dot, cut)}}});
    }
    ~ByMatrices() { ops::set_tuning(device_, {}); }
    ByMatrices(const ByMatrices&) = delete;
    ByMatrices& operator=(const ByMatrices&) = delete;

private:
    Device& device_;
};

struct Shape {
    std::uint32_t rows, out_dim, in_dim;
};

}  // namespace

// The same answer as the exact product of the quantised x, and no farther from that of x than the
// scales say.
TEST_P(Dot, MatchesReference) {
    const Format format = GetParam();
    test::Random random(21);
    for (const bool bound : {false, true})
        for (const auto& [rows, out_dim, in_dim] :
             {Shape{1, 33, 256}, {5, 65, 768}, {1, 1, 32}, {33, 31, 96}, {1, 64, 4096}}) {
            if (in_dim % info(format).block_size != 0 || (bound && rows > 5)) continue;
            Stream s(test::device(bound), {.guard = true});
            const auto file = test::random_weight(format, out_dim, in_dim, random);
            const auto x = random.normals(std::size_t{rows} * in_dim),
                       before = random.normals(std::size_t{rows} * out_dim);
            const test::DeviceWeight w(s, file);
            const std::array<std::uint32_t, 3> shape{rows, in_dim, 1};
            const Quantised q = quantise(s, test::upload(s, x, shape));
            const auto y =
                test::download(s, ops::matmul(s, w, test::upload(s, x, shape), MatmulPath::dot));
            const Tensor added = test::upload(s, before, {rows, out_dim, 1});
            ops::matmul_add(s, w, test::upload(s, x, shape), added, MatmulPath::dot);
            const auto sum = test::download(s, added);
            s.wait();
            const auto weight = file.values();
            const std::string what = std::to_string(rows) + " rows, " + std::to_string(out_dim) +
                                     " x " + std::to_string(in_dim) + (bound ? ", bound" : "");
            test::expect_close(y, reference::matmul(weight, q.x(), in_dim, {}), allowed(in_dim),
                               what);
            test::expect_close(sum, reference::matmul(weight, q.x(), in_dim, before),
                               allowed(in_dim), what + ", accumulated");

            const auto exact = reference::matmul(weight, x, in_dim, {});
            for (std::size_t i = 0; i < y.size(); ++i) {
                double error = allowed(in_dim) * exact.magnitudes[i];
                for (std::size_t k = 0; k < in_dim; ++k)
                    error += std::fabs(weight[i % out_dim * in_dim + k]) * 0.5 *
                             q.scales[(i / out_dim * in_dim + k) / 32];
                ASSERT_LE(std::fabs(y[i] - exact.values[i]), error) << what << ", element " << i;
            }
        }
}

// Likewise, and the same as dot products but for the order of f32 sums.
TEST_P(DotMatrices, MatchReference) {
    const Format format = GetParam();
    test::Random random(28);
    for (const bool bound : {false, true})
        for (const auto& [rows, out_dim, in_dim] :
             {Shape{1, 33, 256}, {17, 65, 768}, {33, 31, 96}, {8, 1, 32}, {50, 32, 160}}) {
            if (in_dim % info(format).block_size != 0 ||
                (bound && (rows != 17 || format != Format::q4_k)))
                continue;
            Stream s(test::device(bound), {.guard = true, .dispatch_seconds = bound ? 1.0 : 0.0});
            const auto file = test::random_weight(format, out_dim, in_dim, random);
            const auto x = random.normals(std::size_t{rows} * in_dim);
            const test::DeviceWeight w(s, file);
            const Tensor device_x = test::upload(s, x, {rows, in_dim, 1});
            const Quantised q = quantise(s, device_x);
            const auto expected = reference::matmul(file.values(), q.x(), in_dim, {});
            const auto by_dot_products =
                test::download(s, ops::matmul(s, w, device_x, ops::Cut{MatmulPath::dot, {}}));
            for (const ops::MatrixCut& cut : matrix_cuts(format)) {
                const auto y = test::download(
                    s, ops::matmul(s, w, device_x, ops::cut_of(MatmulPath::dot, cut)));
                s.wait();
                const std::string what = std::to_string(rows) + " rows, " +
                                         std::to_string(out_dim) + " x " + std::to_string(in_dim) +
                                         ", " + std::to_string(cut.slices) + " slices" +
                                         (bound ? ", bound" : "");
                test::expect_close(y, expected, allowed(in_dim), what);
                for (std::size_t i = 0; i < y.size(); ++i)
                    ASSERT_NEAR(y[i], by_dot_products[i],
                                2 * allowed(in_dim) * expected.magnitudes[i])
                        << what << ", element " << i;
            }
        }
}

// Blocks of x with a scale each and no fraction: sums are exact, so that not one term may be
// missing or met twice, in tiles of every size that a CPU implementation compiles soon.
TEST_F(DotMatrixRows, WholeNumbersAreExact) {
    constexpr std::uint32_t rows = 100, out_dim = 90, in_dim = 160;
    const auto element = [](std::size_t i) {
        return static_cast<int>(i * 2654435761u >> 27 & 31) - 16;
    };
    const auto x_element = [&](std::size_t i) {
        // 127 in each block makes its scale the power of two.
        return i % 32 == 7 ? 127 : 3 * element(7 * i + 3);
    };
    test::FileWeight file{Format::q8_0, out_dim, in_dim, {}};
    for (std::size_t i = 0; i < std::size_t{out_dim} * in_dim; ++i) {
        if (i % 32 == 0)  // 1 in f16
            for (const int byte : {0x00, 0x3c}) file.bytes.push_back(static_cast<std::byte>(byte));
        file.bytes.push_back(static_cast<std::byte>(element(i) & 0xff));
    }
    std::vector<float> x;
    for (std::size_t i = 0; i < std::size_t{rows} * in_dim; ++i)
        x.push_back(std::ldexp(static_cast<float>(x_element(i)), static_cast<int>(i / 32 % 3)));
    const auto expected = reference::matmul(file.values(), x, in_dim, {});
    for (const ops::MatrixCut& cut :
         {ops::MatrixCut{32, 64, 16, 32, 1}, {32, 32, 32, 8, 2}, {8, 8, 8, 8, 1}}) {
        Stream s(test::device(), {.guard = true});
        const test::DeviceWeight w(s, file);
        const auto y = test::download(s, ops::matmul(s, w, test::upload(s, x, {rows, in_dim, 1}),
                                                     ops::cut_of(MatmulPath::dot, cut)));
        s.wait();
        for (std::size_t i = 0; i < y.size(); ++i)
            // 127 / 127, the scale, is 1 to a rounding.
            ASSERT_NEAR(y[i], expected.values[i], 4 * test::rounding * expected.magnitudes[i])
                << cut.tile_rows << " x " << cut.tile_columns << ", element " << i;
    }
}

// Where an instruction takes more terms, among them those of two scales. lavapipe computes such
// matrices, but lists none, so that the validation layers would object.
TEST_F(DotMatrixRows, MoreTermsInAnInstructionAreTheSame) {
    if (!test::device().info().is_cpu) GTEST_SKIP() << "a GPU computes the shapes that it lists";
    constexpr std::uint32_t rows = 17, out_dim = 33, in_dim = 256;
    Device unwatched;
    Stream s(unwatched, {.guard = true});
    test::Random random(31);
    for (const Format format : {Format::q4_k, Format::q6_k})
        for (const std::uint32_t depth : {16u, 32u}) {
            DeviceInfo other = unwatched.info();
            other.matrix_shapes = {{8, 8, depth, "s8", "s32"}, {8, 8, 8, "f16", "f32"}};
            const ops::Tiling t =
                ops::matrix_tiling(other, Operands::s8, format, Rows::all, small_cut);
            const auto file = test::random_weight(format, out_dim, in_dim, random);
            const test::DeviceWeight w(s, file);
            const Tensor x = test::upload(s, random.normals(rows * in_dim), {rows, in_dim, 1});
            const auto more = test::download(s, ops::matmul(s, w, x, MatmulPath::dot, t)),
                       usual = test::download(
                           s, ops::matmul(s, w, x, ops::cut_of(MatmulPath::dot, small_cut)));
            s.wait();
            EXPECT_EQ(test::bits(more), test::bits(usual)) << info(format).name << ", " << depth;
        }
}

TEST_F(DotMatrixRows, MeetEveryEpilogue) {
    constexpr std::uint32_t rows = 19, out_dim = 66, in_dim = 256;
    test::Random random(29);
    const auto file = test::random_weight(Format::q5_1, out_dim, in_dim, random);
    const auto x = random.normals(std::size_t{rows} * in_dim),
               before = random.normals(std::size_t{rows} * out_dim);
    for (const bool bound : {false, true}) {
        const ByMatrices tuned(
            bound, ops::product_class(Rows::all, file.format, rows, out_dim, true), cut_in_slices);
        Stream s(test::device(bound), {.profile = true, .guard = true, .int8_activations = true});
        const test::DeviceWeight w(s, file);
        const Tensor device_x = test::upload(s, x, {rows, in_dim, 1});
        const auto both = test::download(s, ops::matmul(s, w, device_x));
        s.wait();
        EXPECT_TRUE(s.profile().back().kernel.starts_with("dot_coopmat"));
        const auto y = test::download(s, ops::matmul_swiglu(s, w, device_x));
        const Tensor sum = test::upload(s, before, {rows, out_dim, 1});
        ops::matmul_add(s, w, device_x, sum);
        const auto added = test::download(s, sum);
        s.wait();
        for (std::size_t i = 0; i < added.size(); ++i) EXPECT_EQ(added[i], before[i] + both[i]);
        for (std::size_t i = 0; i < y.size(); ++i) {
            const double gate = both[2 * i];
            EXPECT_NEAR(y[i], gate / (1 + std::exp(-gate)) * both[2 * i + 1], 1e-5);
        }
    }
}

// What is not a number stays so, in its row alone.
TEST_F(DotMatrixRows, NotANumberShows) {
    constexpr std::uint32_t rows = 9, out_dim = 40, in_dim = 96;
    Stream s(test::device(), {.guard = true});
    test::Random random(30);
    for (const Format format : {Format::q8_0, Format::q4_1}) {
        const test::DeviceWeight w(s, test::random_weight(format, out_dim, in_dim, random));
        auto x = random.normals(rows * in_dim);
        x[2 * in_dim + 71] = NAN;
        const auto y = test::download(s, ops::matmul(s, w, test::upload(s, x, {rows, in_dim, 1}),
                                                     ops::cut_of(MatmulPath::dot, small_cut)));
        s.wait();
        for (std::size_t i = 0; i < y.size(); ++i)
            EXPECT_EQ(std::isnan(y[i]), i / out_dim == 2) << "element " << i;
    }
}

// In every stream, however the rows are cut.
TEST_F(DotRows, NumberOfRowsChangesNoBit) {
    constexpr std::uint32_t most_rows = 70, out_dim = 65, in_dim = 512;
    test::Random random(22);
    const auto file = test::random_weight(Format::q4_k, out_dim, in_dim, random);
    const auto x = random.normals(std::size_t{most_rows} * in_dim);
    Stream whole(test::device(), {.guard = true}),
        cut(test::device(), {.guard = true, .dispatch_seconds = 0});
    std::vector<std::uint32_t> all;
    for (Stream* s : {&whole, &cut}) {
        const test::DeviceWeight w(*s, file);
        for (const std::uint32_t rows : {most_rows, 33u, 17u, 12u, 8u, 5u, 3u, 2u, 1u}) {
            const Tensor some = test::upload(*s, x, {most_rows, in_dim, 1}).slice(0, rows);
            const auto y = test::download(*s, ops::matmul(*s, w, some, MatmulPath::dot));
            s->wait();
            if (all.empty()) all = test::bits(y);
            EXPECT_TRUE(std::ranges::equal(test::bits(y),
                                           std::span(all).first(std::size_t{rows} * out_dim)))
                << rows << " rows";
        }
    }
}

TEST_F(DotRows, GateAndUpMeetInTheEpilogue) {
    constexpr std::uint32_t rows = 3, out_dim = 66, in_dim = 256;
    Stream s(test::device(), {.guard = true});
    test::Random random(23);
    const test::DeviceWeight w(s, test::random_weight(Format::q6_k, out_dim, in_dim, random));
    const Tensor x = test::upload(s, random.normals(rows * in_dim), {rows, in_dim, 1});
    const auto both = test::download(s, ops::matmul(s, w, x, MatmulPath::dot)),
               y = test::download(s, ops::matmul_swiglu(s, w, x, MatmulPath::dot));
    s.wait();
    for (std::size_t i = 0; i < y.size(); ++i) {
        const double gate = both[2 * i];
        EXPECT_NEAR(y[i], gate / (1 + std::exp(-gate)) * both[2 * i + 1], 1e-5);
    }
}

// What is not a number stays so, in its row alone.
TEST_F(DotRows, NotANumberShows) {
    constexpr std::uint32_t rows = 5, out_dim = 40, in_dim = 96;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float wrong : {NAN, infinity, -infinity})
        for (const Format format : {Format::q8_0, Format::q4_1}) {
            Stream s(test::device(), {.guard = true});
            test::Random random(24);
            const test::DeviceWeight w(s, test::random_weight(format, out_dim, in_dim, random));
            auto x = random.normals(rows * in_dim);
            x[2 * in_dim + 71] = wrong;
            const auto y = test::download(
                s, ops::matmul(s, w, test::upload(s, x, {rows, in_dim, 1}), MatmulPath::dot));
            s.wait();
            for (std::size_t i = 0; i < y.size(); ++i)
                EXPECT_EQ(std::isnan(y[i]), i / out_dim == 2) << wrong << ", element " << i;
        }
}

// Each block by itself: scale, bytes and sums, for what is usual, large, small, zero, or no number.
TEST_F(DotRows, BlocksAreQuantisedEachByItself) {
    constexpr float most = std::numeric_limits<float>::max();
    const std::vector<float> greatest{1,      0,   most, 0x1p-117f, 0x1p-118f, 0x1.fffp-119f,
                                      1e-40f, NAN, 3e-5f};
    for (const bool bound : {false, true})
        for (const std::uint32_t rows : {1u, 3u}) {
            // More blocks in a row than a workgroup takes.
            const auto blocks = static_cast<std::uint32_t>(9 * greatest.size()), dim = 32 * blocks;
            test::Random random(25);
            std::vector<float> x = random.normals(std::size_t{rows} * dim);
            for (std::size_t b = 0; b < x.size() / 32; ++b) {
                const std::span<float> block(&x[32 * b], 32);
                const float factor = greatest[b % greatest.size()];
                const float largest =
                    std::fabs(std::ranges::max(block, {}, [](float e) { return std::fabs(e); }));
                for (float& element : block)
                    element = std::isnan(factor) ? element : element / largest * factor;
                block[b % 32] = b % 2 != 0 ? factor : -factor;
            }
            Stream s(test::device(bound), {.guard = true});
            const Quantised q = quantise(s, test::upload(s, x, {rows, dim, 1}));
            ASSERT_EQ(q.scales.size(), x.size() / 32);
            for (std::size_t b = 0; b < q.scales.size(); ++b) {
                const float scale = q.scales[b], factor = greatest[b % greatest.size()];
                if (std::isnan(factor)) {
                    EXPECT_TRUE(std::isnan(scale)) << b;
                    continue;
                }
                EXPECT_EQ(scale, factor < 0x1p-118f ? 0 : factor * (1.0f / 127)) << b;
                int sums[2] = {0, 0};
                for (std::size_t i = 0; i < 32; ++i) {
                    const int value = q.values[32 * b + i];
                    sums[i / 16] += value;
                    ASSERT_LE(std::abs(value), 127);
                    const double ratio = scale == 0 ? 0 : x[32 * b + i] / double{scale};
                    EXPECT_LE(std::fabs(ratio - value), 0.5 + 0x1p-15) << b;
                    EXPECT_TRUE(scale != 0 || value == 0) << b;
                }
                EXPECT_EQ(q.sums[2 * b], sums[0]);
                EXPECT_EQ(q.sums[2 * b + 1], sums[1]);
            }
        }
}

TEST_F(DotRows, FormatsWithoutIntegersTakeAnotherPath) {
    test::Random random(26);
    Stream s(test::device(), {.guard = true}), asked(test::device(), {.int8_activations = true});
    const auto x = random.normals(256);
    for (const Format format : {Format::f32, Format::f16, Format::iq3_s}) {
        const auto file = test::random_weight(format, 33, 256, random);
        std::vector<std::vector<std::uint32_t>> products;
        for (const auto& [stream, path] : {std::pair(&s, MatmulPath::automatic),
                                           {&s, MatmulPath::dot},
                                           {&asked, MatmulPath::automatic}}) {
            const test::DeviceWeight w(*stream, file);
            const auto y = test::download(
                *stream, ops::matmul(*stream, w, test::upload(*stream, x, {1, 256, 1}), path));
            stream->wait();
            products.push_back(test::bits(y));
        }
        EXPECT_EQ(products[0], products[1]) << info(format).name;
        EXPECT_EQ(products[0], products[2]) << info(format).name;
    }
}

TEST_F(DotRows, AStreamAsksForIt) {
    test::Random random(27);
    const auto file = test::random_weight(Format::q4_0, 33, 256, random);
    const auto x = random.normals(256);
    std::vector<std::vector<std::uint32_t>> products;
    for (const bool int8 : {false, true})
        for (const MatmulPath path : {MatmulPath::automatic, MatmulPath::dot}) {
            Stream s(test::device(), {.int8_activations = int8});
            const test::DeviceWeight w(s, file);
            const auto y =
                test::download(s, ops::matmul(s, w, test::upload(s, x, {1, 256, 1}), path));
            s.wait();
            products.push_back(test::bits(y));
        }
    EXPECT_NE(products[0], products[1]);
    EXPECT_EQ(products[2], products[1]);
    EXPECT_EQ(products[3], products[1]);
}

TEST(DotTier, IsMissedInOneLine) {
    DeviceInfo device;
    device.name = "a device";
    device.tiers[static_cast<std::size_t>(Tier::dot)].note = "switched off";
    test::expect_error([&] { ops::dot_tiling(device, Format::q4_0, Rows::all, 1); },
                       {"a device", "switched off"});
}

INSTANTIATE_TEST_SUITE_P(Formats, Dot, testing::ValuesIn(formats_of_integers()), format_name);
INSTANTIATE_TEST_SUITE_P(Formats, DotMatrices, testing::ValuesIn(formats_of_integers()),
                         format_name);

}  // namespace assay
