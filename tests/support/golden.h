#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace assay::test {

// What the routers of a model with experts chose for each token of a prompt.
struct GoldenRouting {
    std::vector<std::uint32_t> experts;  // (layers, tokens, experts per token), by falling weight
    std::vector<float> weights;          // the same
    std::vector<float>
        gap;  // (layers, tokens): probability of the last chosen minus the next one's
};

// What a reference implementation answered to one prompt.
struct GoldenPrompt {
    std::string name;
    std::vector<std::uint32_t> ids;        // BOS first
    std::vector<std::uint32_t> positions;  // that have logits
    std::vector<float> logits;             // (positions, vocabulary)
    std::vector<std::uint32_t> greedy;     // what follows the prompt
    std::vector<float> margins;            // by how much each of these leads
    std::optional<GoldenRouting> routing;
};

// The prompts of a golden.json entry that has "prompts"; files are named relative to `folder`.
std::vector<GoldenPrompt> golden_prompts(const nlohmann::json& entry,
                                         const std::filesystem::path& folder);

nlohmann::json read_json(const std::filesystem::path& path);
std::vector<float> read_floats(const std::filesystem::path& path);

// The standard deviation of the values, which errors of logits are measured by.
double deviation(const std::vector<float>& values);

// KL(exact | other) in nats of the distributions that logits give.
double divergence(std::span<const float> exact, std::span<const float> other);
double median(std::vector<double> values);

}  // namespace assay::test
