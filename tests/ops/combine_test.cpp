// The results of the experts of each token, weighted and added to what was there.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "tests/support/tensors.h"

namespace assay {

TEST(Combine, AddsTheWeightedSum) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(13);
        for (const auto& [tokens, top_k, dim] :
             {std::array{1u, 1u, 32u}, {1u, 2u, 64u}, {7u, 3u, 96u}, {65u, 8u, 4096u}}) {
            const auto y = random.normals(std::size_t{tokens} * top_k * dim),
                       weights = random.normals(std::size_t{tokens} * top_k),
                       x = random.normals(std::size_t{tokens} * dim);
            ops::Routing routing;
            routing.weights = test::upload(s, weights, {tokens, top_k, 1});
            std::vector<std::uint32_t> every_row(tokens);
            std::iota(every_row.begin(), every_row.end(), 0u);
            const Tensor sum = ops::gather(s, test::upload(s, x, {tokens, dim, 1}),
                                           test::upload(s, every_row, {tokens, 1, 1}));
            ops::combine_add(s, test::upload(s, y, {tokens * top_k, dim, 1}), routing, sum);
            const auto actual = test::download(s, sum);
            s.wait();
            reference::Expected expected;
            for (std::size_t i = 0; i < x.size(); ++i) {
                const std::size_t token = i / dim;
                double value = x[i], magnitude = std::fabs(x[i]);
                for (std::size_t k = 0; k < top_k; ++k) {
                    const double term = static_cast<double>(weights[token * top_k + k]) *
                                        y[(token * top_k + k) * dim + i % dim];
                    value += term;
                    magnitude += std::fabs(term);
                }
                expected.values.push_back(value);
                expected.magnitudes.push_back(magnitude);
            }
            test::expect_close(actual, expected, (top_k + 2) * test::rounding,
                               std::to_string(tokens) + " tokens");
        }
    }
}

}  // namespace assay
