#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/formats/file_tensor.h"
#include "model/formats/mapped_file.h"
#include "model/merge/config.h"
#include "model/merge/lora.h"

namespace assay {

struct SourceOptions {
    // All experts of a layer become mlp.experts.gate_up_proj (E, 2 I, H), the rows of w1 before
    // those of w3, and mlp.experts.down_proj (E, H, I), as transformers 5 names them.
    bool fuse_experts = false;
    LoraRounding lora_rounding = LoraRounding::once;
    bool precise = false;  // weights that adapters change are f32, rounded nowhere
};

// A tensor of a model, one of the working formats.
struct SourceTensor {
    std::string name;
    Format format{};
    std::vector<std::uint64_t> shape;
    std::vector<FileTensor> parts;  // whose elements it has one after another
    std::size_t file = 0;           // the first part's, by number

    std::uint64_t bytes() const;
};

// The elements of a tensor: where its file is mapped, or a copy if they had to be made.
struct LoadedTensor {
    Format format{};
    std::span<const std::byte> data;
    std::vector<std::byte> owned;
};

// A model as merges read it: the safetensors files of a Hugging Face directory, of any
// architecture, with a LoRA adapter folded in if the reference names one.
class MergeSource {
public:
    // Throws Error naming file and tensor for what is missing, malformed or in another format.
    MergeSource(const ModelReference& reference, const SourceOptions& options);

    const ModelReference& reference() const { return reference_; }
    const std::filesystem::path& folder() const { return folder_; }
    const nlohmann::ordered_json& config() const { return config_; }
    std::uint32_t layers() const { return layers_; }
    std::vector<std::filesystem::path> files() const;  // all that the result depends on

    // In the order of their files. Buffers that are computed (rotary_emb.inv_freq) are left out.
    const std::vector<SourceTensor>& tensors() const { return tensors_; }
    const SourceTensor* find(std::string_view name) const;  // nullptr if it has none

    // In its own format, or in f32 if options.precise and an adapter changes it.
    LoadedTensor load(const SourceTensor& tensor, std::uint32_t threads) const;

private:
    void read_config();
    void keep(std::vector<FileTensor> found, bool fuse_experts);
    std::size_t file_of(const FileTensor& tensor) const;

    ModelReference reference_;
    std::filesystem::path folder_;
    nlohmann::ordered_json config_;
    std::uint32_t layers_ = 0;
    bool precise_ = false;
    std::vector<MappedFile> files_;
    std::optional<LoraAdapter> adapter_;
    std::vector<SourceTensor> tensors_;
    std::map<std::string, std::size_t, std::less<>> index_;  // name -> place in tensors_
};

}  // namespace assay
