#pragma once
#include <filesystem>

namespace assay::test {

// Writes the demo judge as a Hugging Face directory of bfloat16 weights, with its tokenizer.model.
// All weights of its layers are multiplied by `scale`, for a judge of its own.
void write_judge(const std::filesystem::path& to, float scale = 1);

}  // namespace assay::test
