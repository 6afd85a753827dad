#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace assay::test {

// A made-up checkpoint: its config.json and its weights by name.
struct TinyModel {
    nlohmann::json config;
    std::map<std::string, std::vector<float>> weights;
};

// Two layers with seeded weights; keys of `changes` replace or add to config.json's. The sizes are
// hidden 64, intermediate 96, 4 heads and 2 key-value heads of 16, 300 tokens.
TinyModel make_tiny_model(const nlohmann::json& changes = nlohmann::json::object(),
                          std::uint32_t seed = 1);

// As a Hugging Face directory with f32 weights (no tokenizer).
void write_checkpoint(const TinyModel& model, const std::filesystem::path& folder);

}  // namespace assay::test
