#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/reference/reference.h"

namespace assay::reference {

Routes route(std::span<const float> logits, std::size_t experts, std::size_t top_k) {
    Routes routes;
    for (std::size_t token = 0; token < logits.size(); token += experts) {
        const auto row = logits.subspan(token, experts);
        std::vector<std::uint32_t> order(experts);
        std::iota(order.begin(), order.end(), 0u);
        std::ranges::stable_sort(order, std::greater<>(), [&](std::uint32_t e) { return row[e]; });
        double sum = 0;
        const auto weight = [&](std::size_t k) {
            return std::exp(static_cast<double>(row[order[k]]) - row[order[0]]);
        };
        for (std::size_t k = 0; k < top_k; ++k) sum += weight(k);
        for (std::size_t k = 0; k < top_k; ++k) {
            routes.experts.push_back(order[k]);
            routes.weights.push_back(weight(k) / sum);
        }
    }
    return routes;
}

}  // namespace assay::reference
