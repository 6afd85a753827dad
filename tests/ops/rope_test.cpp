#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

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

// q, k and v as tensors of their own or side by side in one, as weights make them.
std::array<ops::Columns, 3> uploaded(Stream& s, const Case& c, const std::vector<float>& q,
                                     const std::vector<float>& k, const std::vector<float>& v,
                                     bool together) {
    const std::uint32_t q_size = c.heads * c.head_dim, kv_size = c.kv_heads * c.head_dim;
    if (!together)
        return {ops::Columns{test::upload(s, q, {c.rows, q_size, 1})},
                ops::Columns{test::upload(s, k, {c.rows, kv_size, 1})},
                ops::Columns{test::upload(s, v, {c.rows, kv_size, 1})}};
    std::vector<float> all;
    for (std::uint32_t row = 0; row < c.rows; ++row)
        for (const auto& [part, size] : {std::pair{&q, q_size}, {&k, kv_size}, {&v, kv_size}}) {
            const auto from = part->begin() + std::ptrdiff_t{row} * size;
            all.insert(all.end(), from, from + size);
        }
    const Tensor of = test::upload(s, all, {c.rows, q_size + 2 * kv_size, 1});
    return {ops::Columns{of}, ops::Columns{of, q_size}, ops::Columns{of, q_size + kv_size}};
}

}  // namespace

TEST(Rope, TurnsAndStores) {
    constexpr Case cases[] = {
        {1, 1, 1, 32}, {3, 4, 2, 64}, {7, 6, 2, 80}, {17, 8, 8, 96}, {33, 8, 1, 128}};
    for (const auto& [bound, together] : {std::pair{false, true}, {false, false}, {true, true}}) {
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

                const auto table = angles(c.head_dim);
                const auto [q_at, k_at, v_at] = uploaded(s, c, q, k, v, together);
                const auto actual = test::download(
                    s, ops::rope(s, q_at, k_at, v_at, c.heads, test::upload(s, at, {c.rows, 1, 1}),
                                 test::upload(s, slots, {c.rows, 1, 1}),
                                 test::upload(s, table, {positions, c.head_dim / 2, 2}),
                                 cache.device()));
                s.wait();

                test::expect_close(actual, reference::rotate(q, c.heads, c.head_dim, at, table),
                                   relative, "q");
                check_cache(cache, format, c, slots,
                            reference::rotate(k, c.kv_heads, c.head_dim, at, table), v);
            }
    }
}

}  // namespace assay
