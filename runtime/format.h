#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels.gen.h"

namespace assay {

// How a weight format is stored in model files. `Format` itself is the FORMAT axis of the variant
// table.
struct FormatInfo {
    std::string_view name;
    std::uint32_t block_size;            // weights in a block
    std::uint32_t block_bytes;           // of a block
    std::uint32_t unit_bytes;            // of the words a kernel reads it in: 2 or 4
    std::uint32_t ggml_type;             // its number in GGUF files
    std::string_view safetensors_dtype;  // its name in safetensors files; empty if it has none
    std::optional<Integers> integers{};  // if its weights are whole numbers times scales
};

const FormatInfo& info(Format format);
std::optional<Format> format_from_ggml(std::uint32_t type);
std::optional<Format> format_from_safetensors(std::string_view dtype);
std::optional<Format> format_from_name(std::string_view name);

// Bytes of a row of `columns` weights, a multiple of the format's block size.
std::uint64_t row_bytes(Format format, std::uint64_t columns);

}  // namespace assay
