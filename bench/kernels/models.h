#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace assay::bench {

// The sizes of a model that say which shapes its kernels meet.
struct ModelShape {
    std::string_view name;
    std::uint32_t hidden, heads, kv_heads, head_dim, intermediate, vocabulary;
    std::uint32_t experts = 0, experts_used = 0;  // 0: none
    bool dense = true;                            // it has a feed-forward layer without experts

    std::uint32_t q_size() const { return heads * head_dim; }
    std::uint32_t kv_size() const { return kv_heads * head_dim; }
};

// Three models that are run, `small` for CPU implementations, and `tiny`, on which everything can
// be checked in little time.
inline constexpr ModelShape model_shapes[] = {
    {"mistral-7b", 4096, 32, 8, 128, 14336, 32000},
    {"mixtral-8x7b", 4096, 32, 8, 128, 14336, 32000, 8, 2, false},
    {"llama-2-13b", 5120, 40, 40, 128, 13824, 32000},
    {"small", 1024, 8, 2, 128, 3584, 8000, 4, 2},
    {"tiny", 256, 4, 2, 64, 512, 320, 4, 2},
};

}  // namespace assay::bench
