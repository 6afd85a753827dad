#pragma once
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/format.h"

namespace assay::bench {

// Writes a GGUF file, version 3: first everything that is said of it, then its tensors one after
// the other.
class GgufWriter {
public:
    // Throws a std::runtime_error that names the file if it cannot be written; so does finish().
    explicit GgufWriter(const std::string& path);

    void add(std::string_view key, std::uint32_t value);
    void add(std::string_view key, float value);
    void add(std::string_view key, bool value);
    void add(std::string_view key, std::string_view value);
    void add(std::string_view key, std::span<const std::string> values);
    void add(std::string_view key, std::span<const float> values);
    void add(std::string_view key, std::span<const std::int32_t> values);
    // Shape outermost first.
    void add_tensor(std::string_view name, Format format, std::span<const std::uint64_t> shape);

    void write_header();
    // The tensors' bytes in the order they were added, in pieces of any size; begin_tensor() before
    // each tensor.
    void begin_tensor();
    void write(std::span<const std::byte> bytes);
    void finish();

private:
    void pair(std::string_view key, std::uint32_t type);

    std::string path_;
    std::ofstream file_;
    std::string pairs_, tensors_;
    std::uint64_t pair_count_ = 0, tensor_count_ = 0, data_bytes_ = 0;
};

}  // namespace assay::bench
