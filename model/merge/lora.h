#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/formats/file_tensor.h"
#include "model/formats/mapped_file.h"

namespace assay {

// Where PEFT rounds W + (alpha / r) B A to the format of W. The product is in f32 always.
enum class LoraRounding {
    once,   // the sum alone: PEFT today
    delta,  // what is added, then the sum: safe_merge=True
    all     // A and B before, what is added, then the sum: PEFT 0.10 of April 2024
};

// A LoRA adapter as PEFT writes it: adapter_config.json and adapter_model.safetensors.
class LoraAdapter {
public:
    // Throws Error naming file, key or tensor for what is malformed or does more than add
    // (alpha / r) B A to weights.
    LoraAdapter(const std::filesystem::path& folder, LoraRounding rounding);

    bool changes(std::string_view weight) const { return factors_.contains(weight); }
    std::vector<std::string> weights() const;
    std::vector<std::filesystem::path> files() const;

    // The changed weight into `to`: in its own format, rounded to it, or in f32, rounded nowhere.
    // Throws Error if the shapes do not fit.
    void fold(const FileTensor& weight, Format format, std::span<std::byte> to,
              std::uint32_t threads) const;

private:
    struct Factors {
        FileTensor a, b;  // (r, columns), (rows, r)
    };

    void read_config();

    std::filesystem::path folder_;
    LoraRounding rounding_;
    MappedFile file_;
    double alpha_ = 0;
    std::uint64_t rank_ = 0;  // 0 if ranks differ by weight
    bool rank_stabilised_ = false;
    std::map<std::string, Factors, std::less<>> factors_;
};

}  // namespace assay
