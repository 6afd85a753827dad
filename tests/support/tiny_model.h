#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/model/gguf_builder.h"

namespace assay::test {

// A made-up checkpoint: its config.json and its weights by name.
struct TinyModel {
    nlohmann::json config;
    std::map<std::string, std::vector<float>> weights;
};

// Two layers with seeded weights; keys of `changes` replace or add to config.json's. The sizes are
// hidden 64, intermediate 96, 4 heads and 2 key-value heads of 16, 300 tokens. With
// num_local_experts the layers have experts in place of the dense network.
TinyModel make_tiny_model(const nlohmann::json& changes = nlohmann::json::object(),
                          std::uint32_t seed = 1);

// How a file holds the experts of a layer: every matrix on its own, or stacked.
enum class Experts { single, stacked };

// As a Hugging Face directory with f32 weights (no tokenizer).
void write_checkpoint(const TinyModel& model, const std::filesystem::path& folder,
                      Experts experts = Experts::single);

// As a GGUF file with f32 weights (no tokenizer).
GgufBuilder gguf_of(const TinyModel& model, Experts experts = Experts::stacked);

}  // namespace assay::test
