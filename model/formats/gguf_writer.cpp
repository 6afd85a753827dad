// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#include "model/formats/gguf_writer.h"

#include <random>
#include <ranges>
#include <utility>

#include "model/formats/file_tensor.h"
#include "runtime/error.h"

namespace assay {
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

template <class T>
void put_array(std::string& to, Type type, std::span<const T> values) {
    put(to, std::uint32_t{type});
    put(to, std::uint64_t{values.size()});
    for (const T& value : values) put(to, value);
}

std::uint64_t aligned(std::uint64_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

GgufWriter::GgufWriter(std::filesystem::path path)
    : path_(std::move(path)),
      file_(path_.string() + "." + std::to_string(std::random_device{}()) + ".partial", path_) {}

GgufWriter::~GgufWriter() {
    std::error_code ignored;
    std::filesystem::remove(file_.path(), ignored);
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
    put_array(pairs_, f32, values);
}

void GgufWriter::add(std::string_view key, std::span<const std::int32_t> values) {
    pair(key, array);
    put_array(pairs_, i32, values);
}

void GgufWriter::add_encoded(std::string_view key, std::string_view type_and_value) {
    put_text(pairs_, key);
    pairs_ += type_and_value;
    ++pair_count_;
}

std::size_t GgufWriter::add_tensor(std::string_view name, Format format,
                                   std::span<const std::uint64_t> shape) {
    const std::uint64_t bytes =
        tensor_bytes(path_.string() + ": " + printable(name), format, shape);
    put_text(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t size : std::views::reverse(shape)) put(tensors_, size);
    put(tensors_, info(format).ggml_type);
    put(tensors_, data_bytes_);
    offsets_.push_back(data_bytes_);
    data_bytes_ = aligned(data_bytes_ + bytes);
    return offsets_.size() - 1;
}

void GgufWriter::write_header() {
    std::string header = "GGUF";
    put(header, std::uint32_t{3});
    put(header, std::uint64_t{offsets_.size()});
    put(header, pair_count_);
    header += pairs_;
    header += tensors_;
    header.resize(aligned(header.size()));
    data_begin_ = header.size();
    file_.reserve(file_bytes());
    file_.write(0, std::as_bytes(std::span(header)));
}

void GgufWriter::write(std::size_t tensor, std::uint64_t at,
                       std::span<const std::byte> bytes) const {
    file_.write(data_begin_ + offsets_.at(tensor) + at, bytes);
}

void GgufWriter::finish() {
    file_.finish();
    std::error_code error;
    std::filesystem::rename(file_.path(), path_, error);
    if (error) throw Error(path_.string() + ": cannot be written: " + error.message());
}

}  // namespace assay
