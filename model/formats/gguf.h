#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/formats/file_tensor.h"
#include "model/formats/mapped_file.h"

namespace assay {

// The key-value pairs of a GGUF file, each with the type the file gives it.
class GgufMetadata {
public:
    // Integers of every width become 64 bits, both float widths double.
    using Value = std::variant<std::uint64_t, std::int64_t, double, bool, std::string,
                               std::vector<std::uint64_t>, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<bool>, std::vector<std::string>>;

    explicit GgufMetadata(std::string path) : path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    std::size_t size() const { return values_.size(); }
    bool contains(std::string_view key) const { return values_.contains(key); }

    // Absent keys give nothing; a value of another type is an Error naming key and both types.
    // T is one of Value's alternatives; unsigned ones also take signed values that are not
    // negative.
    template <class T>
    std::optional<T> find(std::string_view key) const;

    // As find, but an absent key is an Error too.
    template <class T>
    T get(std::string_view key) const;

    // A pair as the file has it, in its order: to write it again without loss.
    struct Pair {
        std::string key;
        std::string_view type_and_value;  // in the mapped file
    };
    const std::vector<Pair>& pairs() const { return pairs_; }

    // Throws Error if the key is there already.
    void insert(Pair pair, Value&& value);

private:
    [[noreturn]] void fail_absent(std::string_view key) const;

    std::string path_;
    std::vector<Pair> pairs_;
    std::map<std::string, Value, std::less<>> values_;
};

template <class T>
T GgufMetadata::get(std::string_view key) const {
    auto value = find<T>(key);
    if (!value) fail_absent(key);
    return *std::move(value);
}

struct Gguf {
    GgufMetadata metadata;
    FileTensors tensors;  // in the order of the file
};

// A GGUF file of version 2 or 3, little-endian. Counts, lengths, types, offsets and overlaps are
// checked; throws Error naming the file, the key or tensor, and both values.
Gguf read_gguf(const MappedFile& file);

}  // namespace assay
