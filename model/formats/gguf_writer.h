#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/formats/output_file.h"
#include "runtime/format.h"

namespace assay {

// Writes a GGUF file, version 3: first everything that is said of the model and its tensors, then
// write_header(), then the tensors' bytes in any order. The file has a temporary name beside its
// own until finish(); a writer that is destroyed before leaves nothing. Everything throws Error
// with the file's path and the system's reason when it cannot be written.
class GgufWriter {
public:
    explicit GgufWriter(std::filesystem::path path);
    GgufWriter(const GgufWriter&) = delete;
    GgufWriter& operator=(const GgufWriter&) = delete;
    ~GgufWriter();

    void add(std::string_view key, std::uint32_t value);
    void add(std::string_view key, float value);
    void add(std::string_view key, bool value);
    void add(std::string_view key, std::string_view value);
    void add(std::string_view key, std::span<const std::string> values);
    void add(std::string_view key, std::span<const float> values);
    void add(std::string_view key, std::span<const std::int32_t> values);
    // A pair of another file, as GgufMetadata::pairs() has it.
    void add_encoded(std::string_view key, std::string_view type_and_value);

    // The shape is outermost first. Returns the tensor's number: 0, 1, ...
    std::size_t add_tensor(std::string_view name, Format format,
                           std::span<const std::uint64_t> shape);

    // Reserves the space of the whole file, so that a full disk is known at once.
    void write_header();
    // Bytes of a tensor from its byte `at` on. May be called from several threads at a time.
    void write(std::size_t tensor, std::uint64_t at, std::span<const std::byte> bytes) const;
    void finish();

    std::uint64_t file_bytes() const { return data_begin_ + data_bytes_; }  // after write_header()

private:
    void pair(std::string_view key, std::uint32_t type);

    std::filesystem::path path_;
    OutputFile file_;  // beside it, until finish()
    std::string pairs_, tensors_;
    std::uint64_t pair_count_ = 0;
    std::vector<std::uint64_t> offsets_;  // of the tensors, in the data
    std::uint64_t data_begin_ = 0, data_bytes_ = 0;
};

}  // namespace assay
