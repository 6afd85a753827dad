#pragma once
#include <cstdint>

namespace assay {

// How the next token is chosen. The defaults are greedy.
struct Sampling {
    float temperature = 0;  // 0: the greatest logit
    float top_p = 1;
    float min_p = 0;
    float repetition_penalty = 1;  // over prompt and text
    std::uint32_t top_k = 0;       // 0: off

    bool operator==(const Sampling&) const = default;
};

}  // namespace assay
