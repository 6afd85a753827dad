#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/support/kv_cache.h"

namespace assay {
namespace {

struct Case {
    std::uint32_t rows, heads, kv_heads, head_dim;
};

constexpr std::uint32_t positions = 70;

std::vector<float> angles(std::uint32_t head_dim) {
    std::vector<float> table;
    for (std::uint32_t position = 0; position < positions; ++position)
        for (std::uint32_t i = 0; i < head_dim / 2; ++i) {
            const double angle = position * std::pow(10000.0, -2.0 * i / head_dim);
            table.push_back(static_cast<float>(std::cos(angle)));
            table.push_back(static_cast<float>(std::sin(angle)));
        }
    return table;
}

// Two products and a sum, each rounded once.
constexpr double relative = 3 * test::rounding;

// Its magnitudes become the errors allowed once it is stored.
reference::Expected stored(Cache format, reference::Expected exact) {
    for (double& magnitude : exact.magnitudes) magnitude *= relative;
    exact.magnitudes = reference::stored_errors(format, exact);
    return exact;
}

// Each slot of the cache holds the row that was sent there, or is untouched.
void check_cache(const test::KvCache& cache, Cache format, const Case& c,
                 const std::vector<std::uint32_t>& slots, const reference::Expected& keys,
                 const std::vector<float>& values) {
    std::vector<float> stored_keys(keys.values.size()), stored_values(values.size());
    std::uint32_t untouched = 0;
    for (std::uint32_t slot = 0; slot < cache.slots(); ++slot) {
        const auto row = static_cast<std::size_t>(std::ranges::find(slots, slot) - slots.begin());
        for (std::uint32_t head = 0; head < c.kv_heads; ++head)
            for (std::uint32_t i = 0; i < c.head_dim; ++i) {
                if (row == slots.size()) {
                    untouched += std::isnan(cache.key(slot, head, i)) &&
                                         std::isnan(cache.value(slot, head, i))
                                     ? 0u
                                     : 1u;
                    continue;
                }
                const std::size_t at = (row * c.kv_heads + head) * c.head_dim + i;
                stored_keys[at] = cache.key(slot, head, i);
                stored_values[at] = cache.value(slot, head, i);
            }
    }
    EXPECT_EQ(untouched, 0u) << "elements of slots that no row was sent to were written";
    reference::Expected exact{{values.begin(), values.end()}, {}};
    for (float value : values) exact.magnitudes.push_back(std::fabs(value));
    test::expect_close(stored_keys, stored(format, keys), 1, "keys");
    test::expect_close(stored_values, stored(format, exact), 1, "values");
}

// Rows of very different sizes: all zero; in q8_0 with subnormal scales.
std::vector<float> sized_rows(std::vector<float> values, std::uint32_t rows) {
    constexpr float sizes[] = {1, 3e-5f, 0, 300};
    const std::size_t row_size = values.size() / rows;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= sizes[i / row_size % 4];
    return values;
}

}  // namespace

TEST(Rope, TurnsAndStores) {
    constexpr Case cases[] = {
        {1, 1, 1, 32}, {3, 4, 2, 64}, {7, 6, 2, 80}, {17, 8, 8, 96}, {33, 8, 1, 128}};
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(8);
        for (Cache format : {Cache::f32, Cache::f16, Cache::q8_0})
            for (const Case& c : cases) {
                if (c.head_dim % info(format).block_size != 0) continue;
                SCOPED_TRACE(std::string(info(format).name) + ", " + std::to_string(c.rows) +
                             " rows, heads of " + std::to_string(c.head_dim));
                const auto q = random.normals(std::size_t{c.rows} * c.heads * c.head_dim);
                const std::size_t size = std::size_t{c.rows} * c.kv_heads * c.head_dim;
                const auto k = sized_rows(random.normals(size), c.rows),
                           v = sized_rows(random.normals(size), c.rows);
                std::vector<std::uint32_t> at(c.rows);
                for (auto& position : at) position = random.below(positions);
                test::KvCache cache(s.device(), format, c.kv_heads, c.head_dim, {c.rows}, random);
                std::vector<std::uint32_t> slots(c.rows);
                for (std::uint32_t i = 0; i < c.rows; ++i) slots[i] = cache.slot(0, i);

                // q is turned in place, so it is copied to scratch, behind which guard words lie.
                std::vector<std::uint32_t> every_row(c.rows);
                for (std::uint32_t i = 0; i < c.rows; ++i) every_row[i] = i;
                const Tensor turned =
                    ops::gather(s, test::upload(s, q, {c.rows, c.heads, c.head_dim}),
                                test::upload(s, every_row, {c.rows, 1, 1}));
                const auto table = angles(c.head_dim);
                ops::rope(
                    s, turned.heads(c.heads), test::upload(s, k, {c.rows, c.kv_heads, c.head_dim}),
                    test::upload(s, v, {c.rows, c.kv_heads, c.head_dim}),
                    test::upload(s, at, {c.rows, 1, 1}), test::upload(s, slots, {c.rows, 1, 1}),
                    test::upload(s, table, {positions, c.head_dim / 2, 2}), cache.device());
                const auto actual = test::download(s, turned);
                s.wait();

                test::expect_close(actual, reference::rotate(q, c.heads, c.head_dim, at, table),
                                   relative, "q");
                check_cache(cache, format, c, slots,
                            reference::rotate(k, c.kv_heads, c.head_dim, at, table), v);
            }
    }
}

}  // namespace assay
