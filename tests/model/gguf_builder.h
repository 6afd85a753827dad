#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/model/test_files.h"

namespace assay::test {

// Writes GGUF files, sound and broken ones: what is wrong is set by hand.
struct GgufBuilder {
    struct Tensor {
        std::string name;
        std::vector<std::uint64_t> dimensions;  // innermost first, as in the file
        std::uint32_t type = 0;
        std::uint64_t offset = 0;
    };

    std::string magic = "GGUF";
    std::uint32_t version = 3;
    std::vector<std::string> pairs;
    std::vector<Tensor> tensors;
    std::uint64_t extra_tensors = 0, extra_pairs = 0;  // announced but not there
    std::uint64_t alignment = 32;
    std::string data;

    enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64 };

    static std::string text(std::string_view value) {
        return bytes_of(std::uint64_t{value.size()}) + std::string(value);
    }
    void pair(std::string_view key, std::uint32_t type, const std::string& value) {
        pairs.push_back(text(key) + bytes_of(type) + value);
    }
    void add(std::string_view key, std::uint32_t value) { pair(key, u32, bytes_of(value)); }
    void add(std::string_view key, float value) { pair(key, f32, bytes_of(value)); }
    void add(std::string_view key, bool value) { pair(key, boolean, bytes_of(value)); }
    void add(std::string_view key, const char* value) { pair(key, string, text(value)); }
    void add_array(std::string_view key, std::uint32_t element, std::uint64_t count,
                   const std::string& elements) {
        pair(key, array, bytes_of(element) + bytes_of(count) + elements);
    }
    void add(std::string_view key, const std::vector<std::string>& values) {
        std::string elements;
        for (const auto& value : values) elements += text(value);
        add_array(key, string, values.size(), elements);
    }
    void add(std::string_view key, const std::vector<float>& values) {
        std::string elements;
        for (const float value : values) elements += bytes_of(value);
        add_array(key, f32, values.size(), elements);
    }
    void add(std::string_view key, const std::vector<std::int32_t>& values) {
        std::string elements;
        for (const auto value : values) elements += bytes_of(value);
        add_array(key, i32, values.size(), elements);
    }
    // Appends a tensor with these bytes, at the next multiple of the alignment.
    void add_tensor(std::string_view name, std::vector<std::uint64_t> dimensions,
                    std::uint32_t type, const std::string& bytes) {
        data.resize((data.size() + alignment - 1) / alignment * alignment);
        tensors.push_back({std::string(name), std::move(dimensions), type, data.size()});
        data += bytes;
    }

    std::string bytes() const {
        std::string file = magic + bytes_of(version) + bytes_of(tensors.size() + extra_tensors) +
                           bytes_of(pairs.size() + extra_pairs);
        for (const auto& pair : pairs) file += pair;
        for (const auto& tensor : tensors) {
            file +=
                text(tensor.name) + bytes_of(static_cast<std::uint32_t>(tensor.dimensions.size()));
            for (const auto size : tensor.dimensions) file += bytes_of(size);
            file += bytes_of(tensor.type) + bytes_of(tensor.offset);
        }
        if (alignment) file.resize((file.size() + alignment - 1) / alignment * alignment);
        return file + data;
    }
};

}  // namespace assay::test
