#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/formats/output_file.h"
#include "runtime/format.h"

namespace assay {

// Writes the weights of a Hugging Face directory: model.safetensors, or shards of at most so many
// bytes (but a whole tensor each) with their index. First all tensors are declared, then
// write_headers(), then their bytes in any order. Everything throws Error with the file's path and
// the system's reason when it cannot be written. What an unfinished writer leaves is no model: the
// folder's owner removes it.
class SafetensorsWriter {
public:
    SafetensorsWriter(std::filesystem::path folder, std::uint64_t shard_bytes);
    SafetensorsWriter(const SafetensorsWriter&) = delete;
    SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

    // In f32, f16 or bf16. The shape is outermost first. Returns the tensor's number: 0, 1, ...
    std::size_t add(const std::string& name, Format format, std::vector<std::uint64_t> shape);
    // Reserves the space of all files, so that a full disk is known at once.
    void write_headers();
    // Bytes of a tensor from its byte `at` on. May be called from several threads at a time.
    void write(std::size_t tensor, std::uint64_t at, std::span<const std::byte> bytes) const;
    // Everything is on the disk afterwards.
    void finish();

    std::uint64_t tensor_bytes() const { return total_bytes_; }
    std::size_t shards() const { return shards_.size(); }

private:
    struct Tensor {
        std::string name;
        Format format;
        std::vector<std::uint64_t> shape;
        std::size_t shard;
        std::uint64_t at, bytes;  // in the shard's data
    };
    struct Shard {
        std::uint64_t header_bytes = 0, data_bytes = 0;
    };

    std::string header_of(std::size_t shard) const;
    void write_index() const;

    std::filesystem::path folder_;
    std::uint64_t shard_bytes_, total_bytes_ = 0;
    std::vector<Tensor> tensors_;
    std::vector<Shard> shards_;
    std::vector<OutputFile> files_;  // a shard each, from write_headers() on
};

}  // namespace assay
