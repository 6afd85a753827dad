#include <algorithm>
#include <cmath>

#include "tests/reference/reference.h"

namespace assay::reference {

Expected attention(std::span<const float> q, std::span<const float> keys,
                   std::span<const float> values, const AttentionShape& shape) {
    const auto [heads, kv_heads, head_dim, first_position, window] = shape;
    const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
    Expected y{std::vector<double>(q.size()), std::vector<double>(q.size())};
    for (std::size_t row = 0; row < q.size() / head_dim; ++row) {
        const std::size_t position = first_position + row / heads,
                          kv_head = row % heads / (heads / kv_heads);
        const std::size_t begin = window == 0 || position < window ? 0 : position - window + 1;

        std::vector<double> scores;
        double largest_terms = 0;  // of any score
        for (std::size_t key = begin; key <= position; ++key) {
            double score = 0, terms = 0;
            for (std::size_t i = 0; i < head_dim; ++i) {
                const double term =
                    scale * q[row * head_dim + i] * keys[(key * kv_heads + kv_head) * head_dim + i];
                score += term;
                terms += std::fabs(term);
            }
            scores.push_back(score);
            largest_terms = std::max(largest_terms, terms);
        }
        const double greatest = *std::ranges::max_element(scores);
        double total = 0;
        for (double& score : scores) total += score = std::exp(score - greatest);

        // An error of a score is a relative error of its weight, so the terms of the scores count
        // as well.
        for (std::size_t i = 0; i < head_dim; ++i)
            for (std::size_t key = begin; key <= position; ++key) {
                const double term =
                    scores[key - begin] / total * values[(key * kv_heads + kv_head) * head_dim + i];
                y.values[row * head_dim + i] += term;
                y.magnitudes[row * head_dim + i] += std::fabs(term) * (1 + largest_terms);
            }
    }
    return y;
}

}  // namespace assay::reference
