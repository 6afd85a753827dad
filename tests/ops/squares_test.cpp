#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/tensors.h"

namespace assay {
namespace {

struct Case {
    std::uint32_t tokens, dim, experts, top_k;
    bool routed_rows;  // x has a row for each, not for each token
};

std::string text(const Case& c, bool bound) {
    return std::to_string(c.tokens) + " x " + std::to_string(c.dim) + ", " +
           std::to_string(c.top_k) + " of " + std::to_string(c.experts) + " experts" +
           (c.routed_rows ? ", routed rows" : "") + (bound ? ", bound" : "");
}

// A square is rounded once and each of up to `rows` additions once; all terms are positive.
double allowed(std::uint32_t rows) { return (2 + rows) * test::rounding; }

// What the sums begin with: the operation adds to it.
constexpr float begun = 0.5f;
constexpr std::uint32_t begun_count = 7;

// Device memory that a kernel may write and read, filled with a value.
template <class T>
Tensor filled(Stream& s, std::uint32_t rows, std::uint32_t row_size, T value) {
    const Tensor tensor = s.scratch(rows, row_size);
    s.copy(test::upload(s, std::vector<T>(tensor.size(), value), tensor.shape), tensor);
    return tensor;
}

void expect_squares(Stream& s, const Case& c, const std::vector<std::uint32_t>& chosen, bool routed,
                    bool bound) {
    test::Random random(6);
    const std::uint32_t rows = c.routed_rows ? c.tokens * c.top_k : c.tokens;
    const auto x = random.normals(std::size_t{rows} * c.dim, 3);
    const Tensor sums = filled(s, c.experts, c.dim, begun),
                 counts = filled(s, c.experts, 1, begun_count),
                 input = test::upload(s, x, {rows, c.dim, 1});
    if (routed) {
        ops::Routing routing;
        routing.chosen = test::upload(s, chosen, {c.tokens, c.top_k, 1});
        ops::add_squares(s, input, routing, sums, counts);
    } else {
        ops::add_squares(s, input, sums, counts);
    }
    const auto actual = test::download(s, sums);
    const auto actual_counts = test::download<std::uint32_t>(s, counts);
    s.wait();

    reference::Squares expected = reference::squares(x, c.dim, chosen, c.experts);
    for (double& sum : expected.sums) sum += begun;
    for (std::uint32_t& count : expected.counts) count += begun_count;
    test::expect_close(actual, {expected.sums, expected.sums}, allowed(c.tokens * c.top_k),
                       text(c, bound));
    EXPECT_EQ(actual_counts, expected.counts) << text(c, bound);
}

}  // namespace

TEST(Squares, MatchReference) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Case& c : {Case{1, 1, 1, 1, false},
                              {3, 63, 1, 1, false},
                              {2, 64, 1, 1, false},
                              {70, 65, 1, 1, false},
                              {33, 14336, 1, 1, false}})
            expect_squares(s, c, std::vector<std::uint32_t>(c.tokens), false, bound);
    }
}

// Experts that nobody chose keep what they had.
TEST(Squares, OfRoutedRowsMatchReference) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Case& c : {Case{1, 1, 1, 1, false},
                              {1, 65, 4, 2, false},
                              {1, 65, 4, 2, true},
                              {9, 64, 3, 3, false},
                              {40, 63, 8, 2, false},
                              {40, 63, 8, 2, true},
                              {5, 32, 300, 4, true},
                              {33, 4096, 8, 2, false}}) {
            test::Random random(7);
            std::vector<std::uint32_t> chosen;  // the first of some experts in random order
            for (std::uint32_t token = 0; token < c.tokens; ++token) {
                const auto order = random.permutation(c.experts);
                chosen.insert(chosen.end(), order.begin(), order.begin() + c.top_k);
            }
            expect_squares(s, c, chosen, true, bound);
        }
    }
}

}  // namespace assay
