#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "model/formats/file_tensor.h"
#include "model/formats/gguf.h"
#include "model/formats/mapped_file.h"
#include "model/tokenizer.h"

namespace assay {

// An opened model: a Hugging Face directory or a GGUF file. Its tensors bear Hugging Face's names
// (model.layers.0.self_attn.q_proj.weight), whatever the file calls them, and were all found and
// compared with the config. They stay in the mapped files, so a Checkpoint outlives their use.
class Checkpoint {
public:
    // Throws Error naming file, tensor or key, and the two values that differ.
    explicit Checkpoint(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    std::string name() const;  // of the directory, or of the file without its extension
    const Config& config() const { return config_; }
    Tokenizer tokenizer() const;
    // What it all is read from, those of a directory that are there.
    std::vector<std::filesystem::path> files() const;

    // A weight of the model; lm_head.weight is the embedding where the config ties them.
    // Throws Error if the model has no such tensor.
    const FileTensor& tensor(std::string_view name) const;
    const FileTensor* find(std::string_view name) const;  // nullptr if it has none

    // The weights in the order of their files, which is the fastest to read them in.
    const std::vector<FileTensor>& tensors() const { return tensors_; }
    std::map<Format, std::uint64_t> bytes_by_format() const;

    // Whether the rows of q_proj and k_proj are in the order of GGUF: see unpermuted_row.
    bool permuted_qk() const { return gguf_.has_value(); }
    const GgufMetadata* gguf() const { return gguf_ ? &*gguf_ : nullptr; }  // of a GGUF file

private:
    FileTensors open_directory();
    FileTensors open_gguf();
    void keep_weights(FileTensors found);

    std::filesystem::path path_;
    std::vector<MappedFile> files_;
    std::optional<GgufMetadata> gguf_;  // of a GGUF file
    Config config_;
    std::vector<FileTensor> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;  // name -> place in tensors_
};

// GGUF interleaves the two halves of every head of q_proj and k_proj, so that elements 2i and 2i+1
// turn together instead of i and i + head_dim/2. Returns the row of the GGUF matrix that holds row
// `row` of Hugging Face's; the head stays the same.
std::uint32_t unpermuted_row(std::uint32_t row, std::uint32_t head_dim);

// The vocabulary of a model without its weights: from a directory, a GGUF file or a
// tokenizer.model.
Tokenizer open_tokenizer(const std::filesystem::path& path);

// What --model names: `demo`, a directory or file, or a name (org/model) in the local Hugging Face
// cache. Throws Error listing where it looked.
std::filesystem::path resolve_model(std::string_view model);

}  // namespace assay
