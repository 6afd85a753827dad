#include "model/formats/quantise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "model/formats/dequantise.h"
#include "tests/model/test_files.h"
#include "tests/support/golden.h"
#include "tests/support/random.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

constexpr std::size_t columns = 512;

std::vector<Format> quantised_formats() {
    std::vector<Format> formats = test::all_formats();
    std::erase_if(formats, [](Format format) { return !can_quantise(format); });
    return formats;
}

// What the values become.
std::vector<float> there_and_back(Format format, const std::vector<float>& values,
                                  const std::vector<float>& importance = {}) {
    std::vector<std::byte> blocks(row_bytes(format, values.size()));
    quantise(format, values, std::min(columns, values.size()), importance, blocks);
    std::vector<float> back(values.size());
    dequantise(format, blocks, back);
    return back;
}

double mean_square(std::span<const float> a, std::span<const float> b,
                   const std::vector<float>& importance = {}) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += (importance.empty() ? 1 : importance[i]) * std::pow(double{a[i]} - b[i], 2);
    return sum / static_cast<double>(a.size());
}

std::string name_of(Format format) { return std::string(info(format).name); }

// Largest root mean square of a block's errors, as a share of the range of its values and 0. With
// the plainest choice of scales an error is at most half a step between levels; scales that are
// multiples of another are off by half a step of theirs, offsets too.
double error_bound(Format format) {
    struct Precision {
        int levels;  // of the range's smaller half, where 0 is one of them
        double multiples = std::numeric_limits<double>::infinity();  // that a scale can have
    };
    static const std::map<std::string, Precision> precisions{
        {"q8_0", {255}},    {"q4_0", {15}},      {"q4_1", {15}},    {"q5_0", {31}},
        {"q5_1", {31}},     {"q2_k", {3, 15}},   {"q3_k", {7, 31}}, {"q4_k", {15, 63}},
        {"q5_k", {31, 63}}, {"q6_k", {63, 127}}, {"iq4_nl", {10}},  {"iq4_xs", {10, 31}}};
    const double half_rounding = 0x1p-10;  // of scale and offset
    if (format == Format::f32) return 0;
    if (format == Format::f16) return 0x1p-12;
    if (format == Format::bf16) return 0x1p-9;
    const Precision& p = precisions.at(name_of(format));
    return 1.0 / p.levels + 1 / p.multiples + half_rounding;
}

bool has_offset_multiples(Format format) {
    return format == Format::q2_k || format == Format::q4_k || format == Format::q5_k;
}

struct Distribution {
    const char* name;
    std::function<float(test::Random&)> draw;
};

const std::vector<Distribution> distributions{
    {"normal", [](test::Random& r) { return r.normal(0.02); }},
    {"uniform", [](test::Random& r) { return static_cast<float>(r.uniform() - 0.5); }},
    {"heavy tails", [](test::Random& r) { return r.normal(0.02) * std::pow(r.normal(), 4.0f); }},
    {"above 0", [](test::Random& r) { return static_cast<float>(1 + r.uniform()); }},
    {"below 0", [](test::Random& r) { return static_cast<float>(-3 - r.uniform()); }},
    {"sparse", [](test::Random& r) { return r.below(50) == 0 ? r.normal() : 0.0f; }},
    {"subnormal scales", [](test::Random& r) { return r.normal(2e-4); }},
    {"near f16's end", [](test::Random& r) { return r.below(2) ? 65504.0f : -65504.0f; }},
};

TEST(Quantise, ErrorsStayWithinTheFormatsSteps) {
    for (const Format format : quantised_formats())
        for (const Distribution& distribution : distributions) {
            test::Random random(1);
            std::vector<float> values(16 * columns);
            for (float& value : values) value = distribution.draw(random);
            const auto back = there_and_back(format, values);
            const std::size_t size = std::max(info(format).block_size, 32u);
            for (std::size_t at = 0; at < values.size(); at += size) {
                const auto block = std::span(values).subspan(at, size);
                const auto [least, most] = std::ranges::minmax(block);
                const double range = std::max(most, 0.0f) - std::min(least, 0.0f);
                const double error =
                    std::sqrt(mean_square(block, std::span(back).subspan(at, size)));
                // Scales are at least f16's smallest number.
                ASSERT_LE(error, range * error_bound(format) + 0x1p-24)
                    << name_of(format) << ", " << distribution.name << ", block at " << at;
            }
        }
}

// Rows 0 to 4 of each golden are source.f32 quantised by ggml.
TEST(Quantise, ErrsNoMoreThanGgml) {
    const std::vector<float> source = test::read_floats(test::data("quant/source.f32"));
    for (const Format format : quantised_formats()) {
        if (format == Format::f32) continue;
        std::string name = name_of(format);
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
        const auto golden = test::read_floats(test::data("quant/" + name + ".values.f32"));
        const auto ours = there_and_back(format, source);
        for (std::size_t row = 0; row < 5; ++row) {
            const auto row_of = [&](const std::vector<float>& values) {
                return std::span(values).subspan(row * columns, columns);
            };
            EXPECT_LE(mean_square(row_of(ours), row_of(source)),
                      mean_square(row_of(golden), row_of(source)))
                << name << ", row " << row;
        }
    }
}

TEST(Quantise, ZerosStayZeros) {
    const std::vector<float> zeros(columns);
    for (const Format format : quantised_formats())
        EXPECT_EQ(there_and_back(format, zeros), zeros) << name_of(format);
}

TEST(Quantise, PowersOfTwoAloneComeBackExactly) {
    for (const Format format : quantised_formats())
        for (const float value : {0.25f, -0.25f, 2.0f, -1024.0f}) {
            const std::vector<float> constant(columns, value);
            const auto back = there_and_back(format, constant);
            // Scales of IQ4 are 1/113 or 1/127 of it; the K-quants' scale and offset are multiples
            // of two steps, whose roundings to f16 may both count.
            const bool rounded = name_of(format).starts_with("iq4") || has_offset_multiples(format);
            for (const float each : back)
                EXPECT_NEAR(each, value, rounded ? 0x1p-10 * std::fabs(value) : 0)
                    << name_of(format);
        }
}

TEST(Quantise, AnOutlierStaysAndItsNeighboursBecomeNearZero) {
    for (const Format format : quantised_formats()) {
        std::vector<float> values(columns);
        for (std::size_t i = 0; i < columns; ++i) values[i] = i % 2 ? 1e-3f : -1e-3f;
        values[100] = -8;
        const auto back = there_and_back(format, values);
        EXPECT_NEAR(back[100], -8, 8 * 0x1p-8) << name_of(format);
        for (std::size_t i = 0; i < columns; ++i)
            EXPECT_NEAR(back[i], values[i], 8 * error_bound(format)) << name_of(format) << " " << i;
    }
}

// What blocks can hold is found again. Where scales and offsets of many groups are multiples of two
// steps, another pair of steps may come nearer to most of them: that costs little.
TEST(Quantise, QuantisedValuesStayAsTheyAre) {
    test::Random random(2);
    const std::vector<float> values = random.normals(16 * columns, 0.02);
    for (const Format format : quantised_formats()) {
        const auto once = there_and_back(format, values);
        const auto twice = there_and_back(format, once);
        if (!has_offset_multiples(format))
            EXPECT_EQ(twice, once) << name_of(format);
        else
            EXPECT_LT(mean_square(twice, once), 0.1 * mean_square(once, values)) << name_of(format);
    }
}

TEST(Quantise, ImportanceMovesErrorsToWhereTheyCountLess) {
    test::Random random(3);
    const std::vector<float> values = random.normals(columns, 0.02);
    std::vector<float> importance(columns);
    for (float& each : importance) each = std::pow(random.normal(), 4.0f);
    for (const Format format : quantised_formats()) {
        if (info(format).block_size == 1) continue;  // nothing to choose
        const auto plain = there_and_back(format, values);
        const auto weighted = there_and_back(format, values, importance);
        EXPECT_LT(mean_square(weighted, values, importance),
                  0.9 * mean_square(plain, values, importance))
            << name_of(format);
    }
}

TEST(Quantise, ImportanceMayBeZero) {
    test::Random random(4);
    const std::vector<float> values = random.normals(columns, 0.02);
    for (const Format format : quantised_formats()) {
        const auto plain = there_and_back(format, values);
        EXPECT_EQ(there_and_back(format, values, std::vector<float>(columns)), plain);
        std::vector<float> one_column(columns);
        one_column[7] = 1e30f;
        for (const float each : there_and_back(format, values, one_column))
            EXPECT_LE(std::fabs(each), 1) << name_of(format);
    }
}

TEST(Quantise, FindsWhatAFormatCannotHold) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const Format format : quantised_formats()) {
        for (const float bad : {infinity, -infinity, std::nanf("")}) {
            std::vector<float> values(columns, 1.0f);
            values[77] = bad;
            EXPECT_EQ(find_unfit(format, values), 77u) << name_of(format) << " " << bad;
        }
        const bool wide = format == Format::f32 || format == Format::bf16;
        EXPECT_EQ(find_unfit(format, std::vector{1e30f}).has_value(), !wide) << name_of(format);
        EXPECT_FALSE(find_unfit(format, std::vector{65504.0f, -65504.0f})) << name_of(format);
    }
}

TEST(Quantise, RoundsFloatsToTheNearestEven) {
    const float even = 1, odd = 1 + 0x1p-7f;  // neighbours in bf16
    EXPECT_EQ(there_and_back(Format::bf16, {even + 0x1p-8f})[0], even);
    EXPECT_EQ(there_and_back(Format::bf16, {odd + 0x1p-8f})[0], odd + 0x1p-7f);
    EXPECT_EQ(there_and_back(Format::bf16, {even + 0x1.01p-8f})[0], odd);
    EXPECT_EQ(there_and_back(Format::f16, {1 + 0x1p-11f})[0], 1);
    EXPECT_EQ(there_and_back(Format::f16, {1 + 0x1.8p-10f})[0], 1 + 0x1p-9f);
}

}  // namespace
}  // namespace assay
