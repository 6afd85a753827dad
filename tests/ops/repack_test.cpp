#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/support/tensors.h"

namespace assay {
namespace {

constexpr std::byte guard{0xa5};
constexpr std::size_t guard_bytes = 4096;

// Row of the model that row `row` of a file becomes: files that interleave the pairs of a head hold
// (i, i + head_dim / 2) side by side.
std::uint32_t model_row(std::uint32_t row, std::uint32_t head_dim) {
    if (head_dim == 0) return row;
    const std::uint32_t within = row % head_dim;
    return row - within + within / 2 + (within % 2 ? head_dim / 2 : 0);
}

// As described beside panel_rows in runtime/tensor.h, then guard bytes.
std::vector<std::byte> panels(const test::FileWeight& file, std::uint32_t head_dim) {
    const std::size_t unit = info(file.format).unit_bytes,
                      row_units = row_bytes(file.format, file.in_dim) / unit;
    std::vector<std::byte> to((file.out_dim + panel_rows - 1) / panel_rows * panel_rows *
                              row_units * unit);
    for (std::uint32_t row = 0; row < file.out_dim; ++row) {
        const auto from = file.rows(row, 1);
        const std::uint32_t r = model_row(row, head_dim);
        for (std::size_t u = 0; u < row_units; ++u)
            std::memcpy(
                &to[((r / panel_rows * row_units + u) * panel_rows + r % panel_rows) * unit],
                &from[u * unit], unit);
    }
    to.resize(to.size() + guard_bytes, guard);
    return to;
}

struct Case {
    std::uint32_t out_dim, in_dim, head_dim, rows_at_once;
};

std::vector<std::byte> repacked(Stream& s, const test::FileWeight& file, const Case& c) {
    Weight weight{0, file.out_dim, file.in_dim, file.format};
    const Buffer buffer(s.device(), weight.bytes() + guard_bytes, Memory::download, "weight");
    std::ranges::fill(buffer.host(), guard);
    weight.address = buffer.address();
    for (std::uint32_t first = 0; first < c.out_dim; first += c.rows_at_once) {
        const std::uint32_t rows = std::min(c.rows_at_once, c.out_dim - first);
        ops::repack(s, test::upload_bytes(s, file.rows(first, rows)), rows, first, weight,
                    {.head_dim = c.head_dim});
    }
    s.wait();
    return {buffer.host().begin(), buffer.host().end()};
}

}  // namespace

TEST(Repack, LaysRowsOutInPanels) {
    // Rows around a panel; heads that end inside one; pieces of a file that end inside a panel and
    // in the padding.
    constexpr Case cases[] = {{1, 256, 0, 1},     {31, 256, 0, 31},    {32, 512, 0, 32},
                              {33, 256, 0, 33},   {65, 256, 0, 6},     {100, 256, 0, 34},
                              {64, 256, 32, 64},  {80, 256, 80, 80},   {96, 256, 96, 96},
                              {160, 256, 80, 80}, {512, 256, 64, 128}, {4, 4096, 0, 2}};
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(5);
        for (Format format : test::all_formats())
            for (const Case& c : cases) {
                const auto file = test::random_weight(format, c.out_dim, c.in_dim, random);
                EXPECT_TRUE(repacked(s, file, c) == panels(file, c.head_dim))
                    << info(format).name << ", " << c.out_dim << " x " << c.in_dim << ", heads of "
                    << c.head_dim << ", " << c.rows_at_once << " rows at once";
            }
    }
}

// Gate and up of a feed-forward block: rows of the source's halves alternate.
TEST(Repack, InterleavesHalves) {
    Stream s(test::device(), {.guard = true});
    test::Random random(7);
    for (Format format : {Format::f32, Format::f16, Format::q6_k})
        for (const auto& [rows, rows_at_once] :
             {std::pair{1u, 1u}, {16u, 16u}, {33u, 33u}, {80u, 7u}}) {
            const auto even = test::random_weight(format, rows, 256, random),
                       odd = test::random_weight(format, rows, 256, random);
            test::FileWeight alternating{format, 2 * rows, 256, {}};
            Weight weight{0, 2 * rows, 256, format};
            const Buffer buffer(s.device(), weight.bytes() + guard_bytes, Memory::download,
                                "weight");
            std::ranges::fill(buffer.host(), guard);
            weight.address = buffer.address();
            for (std::uint32_t row = 0; row < rows; ++row)
                for (const auto* file : {&even, &odd}) {
                    const auto bytes = file->rows(row, 1);
                    alternating.bytes.insert(alternating.bytes.end(), bytes.begin(), bytes.end());
                }
            for (std::uint32_t first = 0; first < rows; first += rows_at_once) {
                const std::uint32_t count = std::min(rows_at_once, rows - first);
                std::vector<std::byte> source;
                for (const auto* file : {&even, &odd}) {
                    const auto part = file->rows(first, count);
                    source.insert(source.end(), part.begin(), part.end());
                }
                ops::repack(s, test::upload_bytes(s, source), 2 * count, 2 * first, weight,
                            {.halves = true});
            }
            s.wait();
            EXPECT_TRUE(std::ranges::equal(buffer.host(), panels(alternating, 0)))
                << info(format).name << ", " << rows << " rows of each";
        }
}

// More rows than most devices take workgroups in one direction.
TEST(Repack, TakesManyRows) {
    Stream s(test::device(), {.guard = true});
    test::Random random(6);
    const auto file = test::random_weight(Format::f16, 65537, 32, random);
    EXPECT_TRUE(repacked(s, file, {65537, 32, 0, 65537}) == panels(file, 0));
}

}  // namespace assay
