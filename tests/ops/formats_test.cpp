#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/model/test_files.h"
#include "tests/support/tensors.h"

// tests/data/quant holds rows of each weight format with what an independent implementation decodes
// them to: rows quantised from real values, rows of random bits, and scales at the ends of what f16
// can hold (quant.json says which).
namespace assay {
namespace {

constexpr std::uint32_t columns = 512;

template <class T>
std::vector<T> read(const std::string& name) {
    std::ifstream in(test::data("quant/" + name), std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
}

// A format's entry in quant.json, whose names are in capitals.
struct Golden {
    std::string name;
    test::FileWeight file;
    std::vector<float> values;
    std::vector<double> dot_x,
        dot_x_abs;  // of the first rows; x.f32 and the rows in exact arithmetic
};

std::vector<Golden> goldens() {
    std::ifstream in(test::data("quant/quant.json"));
    const auto types = nlohmann::json::parse(in).at("types");
    std::vector<Golden> all;
    for (Format format : test::all_formats()) {
        if (format == Format::f32) continue;  // nothing to decode
        Golden g;
        g.name = info(format).name;
        std::ranges::transform(g.name, g.name.begin(),
                               [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        const auto bytes = read<std::byte>(g.name + ".blocks.bin");
        g.file = {format, static_cast<std::uint32_t>(bytes.size() / row_bytes(format, columns)),
                  columns, bytes};
        g.values = read<float>(g.name + ".values.f32");
        g.dot_x = types.at(g.name).at("dot_x").get<std::vector<double>>();
        g.dot_x_abs = types.at(g.name).at("dot_x_abs").get<std::vector<double>>();
        // Arithmetic may flush f32 subnormals, as some BF16 and MXFP4 weights are, so rows of
        // hardly anything else have no product to compare.
        while (g.dot_x_abs.back() < columns * 0x1p-120) {
            g.dot_x.pop_back();
            g.dot_x_abs.pop_back();
        }
        all.push_back(std::move(g));
    }
    return all;
}

// The first value that differs by more than two units in the last place, or the number of values.
// Below the smallest normal number, devices may flush to zero.
std::size_t first_difference(std::span<const float> a, std::span<const float> b, double flushed) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::fabs(a[i] - b[i]) <= 2 * 0x1p-23 * std::fabs(b[i]) + flushed)) return i;
    return a.size();
}

}  // namespace

TEST(Formats, ReferenceDecodesAsGolden) {
    for (const Golden& g : goldens()) {
        const auto values = g.file.values();
        ASSERT_EQ(values.size(), g.values.size()) << g.name;
        EXPECT_EQ(first_difference(values, g.values, 0), values.size()) << g.name;
    }
}

TEST(Formats, EmbedDecodesAsGolden) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Golden& g : goldens()) {
            const test::DeviceWeight table(s, g.file);
            std::vector<std::uint32_t> rows(g.file.out_dim);
            for (std::uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
            const auto values = test::download(
                s, ops::embed(s, table, test::upload(s, rows, {g.file.out_dim, 1, 1})));
            s.wait();
            ASSERT_EQ(values.size(), g.values.size()) << g.name;
            const std::size_t i = first_difference(values, g.values, 0x1p-126);
            EXPECT_EQ(i, values.size())
                << g.name << ", row " << i / columns << ": " << values[i % values.size()]
                << ", should be " << g.values[i % values.size()];
        }
    }
}

TEST(Formats, MatmulDecodesAsGolden) {
    const auto x = read<float>("x.f32");
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Golden& g : goldens())
            for (auto path :
                 {ops::MatmulPath::direct, ops::MatmulPath::skinny, ops::MatmulPath::tiled}) {
                const test::DeviceWeight w(s, g.file);
                auto products =
                    test::download(s, ops::matmul(s, w, test::upload(s, x, {1, columns, 1}), path));
                s.wait();
                products.resize(g.dot_x.size());
                // As in matmul_test.cpp; the golden has 9 digits.
                test::expect_close(products, {g.dot_x, g.dot_x_abs},
                                   (4 + std::sqrt(columns)) * test::rounding + 1e-9, g.name);
            }
    }
}

}  // namespace assay
