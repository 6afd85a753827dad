#include "bench/gguf_writer.h"

#include <ranges>
#include <stdexcept>

namespace assay::bench {
namespace {

constexpr std::uint64_t alignment = 32;
enum Type : std::uint32_t { u32 = 4, i32 = 5, f32 = 6, boolean = 7, string = 8, array = 9 };

template <class T>
void put(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& to, std::string_view text) {
    put(to, std::uint64_t{text.size()});
    to += text;
}

std::uint64_t aligned(std::uint64_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

GgufWriter::GgufWriter(const std::string& path) : path_(path), file_(path, std::ios::binary) {
    if (!file_) throw std::runtime_error(path + ": cannot be written");
}

void GgufWriter::pair(std::string_view key, std::uint32_t type) {
    put_text(pairs_, key);
    put(pairs_, type);
    ++pair_count_;
}

void GgufWriter::add(std::string_view key, std::uint32_t value) {
    pair(key, u32);
    put(pairs_, value);
}

void GgufWriter::add(std::string_view key, float value) {
    pair(key, f32);
    put(pairs_, value);
}

void GgufWriter::add(std::string_view key, bool value) {
    pair(key, boolean);
    put(pairs_, value);
}

void GgufWriter::add(std::string_view key, std::string_view value) {
    pair(key, string);
    put_text(pairs_, value);
}

void GgufWriter::add(std::string_view key, std::span<const std::string> values) {
    pair(key, array);
    put(pairs_, std::uint32_t{string});
    put(pairs_, std::uint64_t{values.size()});
    for (const std::string& value : values) put_text(pairs_, value);
}

void GgufWriter::add(std::string_view key, std::span<const float> values) {
    pair(key, array);
    put(pairs_, std::uint32_t{f32});
    put(pairs_, std::uint64_t{values.size()});
    for (const float value : values) put(pairs_, value);
}

void GgufWriter::add(std::string_view key, std::span<const std::int32_t> values) {
    pair(key, array);
    put(pairs_, std::uint32_t{i32});
    put(pairs_, std::uint64_t{values.size()});
    for (const std::int32_t value : values) put(pairs_, value);
}

void GgufWriter::add_tensor(std::string_view name, Format format,
                            std::span<const std::uint64_t> shape) {
    put_text(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(shape.size()));
    std::uint64_t bytes = row_bytes(format, shape.back());
    for (const std::uint64_t size : shape.first(shape.size() - 1)) bytes *= size;
    for (const std::uint64_t size : std::views::reverse(shape)) put(tensors_, size);
    put(tensors_, info(format).ggml_type);
    put(tensors_, data_bytes_);
    data_bytes_ = aligned(data_bytes_ + bytes);
    ++tensor_count_;
}

void GgufWriter::write_header() {
    std::string header = "GGUF";
    put(header, std::uint32_t{3});
    put(header, tensor_count_);
    put(header, pair_count_);
    file_ << header << pairs_ << tensors_;
}

void GgufWriter::begin_tensor() {
    const auto at = static_cast<std::uint64_t>(file_.tellp());
    file_ << std::string(aligned(at) - at, '\0');
}

void GgufWriter::write(std::span<const std::byte> bytes) {
    file_.write(reinterpret_cast<const char*>(bytes.data()),
                static_cast<std::streamsize>(bytes.size()));
}

void GgufWriter::finish() {
    begin_tensor();
    file_.close();
    if (!file_) throw std::runtime_error(path_ + ": could not be written to its end");
}

}  // namespace assay::bench
