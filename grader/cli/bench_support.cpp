#include "grader/cli/bench_support.h"

#include <algorithm>
#include <ctime>

#include "model/engine/random.h"

namespace assay::cli {

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string utc_now() {
    const std::time_t seconds = std::time(nullptr);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&seconds));
    return text;
}

std::vector<TokenId> random_tokens(std::uint32_t count, std::uint32_t vocabulary,
                                   std::uint32_t text) {
    std::vector<TokenId> tokens;
    for (std::uint32_t position = 0; position < count; ++position)
        tokens.push_back(philox({position, text, 0, 0}, {1, 2})[0] % vocabulary);
    return tokens;
}

}  // namespace assay::cli
