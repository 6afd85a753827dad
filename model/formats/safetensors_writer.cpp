// https://github.com/huggingface/safetensors; the index as transformers writes it.
#include "model/formats/safetensors_writer.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "model/formats/file_tensor.h"
#include "model/formats/safetensors_folder.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t alignment = 8;  // of the data, as the reference implementation has it

std::string shard_name(std::size_t shard, std::size_t shards) {
    if (shards == 1) return single_file;
    char name[60];
    std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
    return name;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path folder, std::uint64_t shard_bytes)
    : folder_(std::move(folder)), shard_bytes_(shard_bytes) {}

std::size_t SafetensorsWriter::add(const std::string& name, Format format,
                                   std::vector<std::uint64_t> shape) {
    const std::uint64_t bytes =
        assay::tensor_bytes(folder_.string() + ": " + printable(name), format, shape);
    if (shards_.empty() ||
        (shards_.back().data_bytes > 0 && shards_.back().data_bytes + bytes > shard_bytes_))
        shards_.emplace_back();
    std::uint64_t& end = shards_.back().data_bytes;
    tensors_.push_back({name, format, std::move(shape), shards_.size() - 1, end, bytes});
    end += bytes;
    total_bytes_ += bytes;
    return tensors_.size() - 1;
}

std::string SafetensorsWriter::header_of(std::size_t shard) const {
    Json header{{"__metadata__", {{"format", "pt"}}}};
    for (const Tensor& tensor : tensors_)
        if (tensor.shard == shard)
            header[tensor.name] = {{"dtype", info(tensor.format).safetensors_dtype},
                                   {"shape", tensor.shape},
                                   {"data_offsets", {tensor.at, tensor.at + tensor.bytes}}};
    std::string text = header.dump();
    text.resize((text.size() + alignment - 1) / alignment * alignment, ' ');
    std::uint64_t length = text.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

void SafetensorsWriter::write_headers() {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
        const std::string header = header_of(i);
        shards_[i].header_bytes = header.size();
        files_.emplace_back(folder_ / shard_name(i, shards_.size()));
        files_[i].reserve(header.size() + shards_[i].data_bytes);
        files_[i].write(0, std::as_bytes(std::span(header)));
    }
}

void SafetensorsWriter::write(std::size_t tensor, std::uint64_t at,
                              std::span<const std::byte> bytes) const {
    const Tensor& to = tensors_.at(tensor);
    files_[to.shard].write(shards_[to.shard].header_bytes + to.at + at, bytes);
}

void SafetensorsWriter::write_index() const {
    Json map = Json::object();
    for (const Tensor& tensor : tensors_)
        map[tensor.name] = shard_name(tensor.shard, shards_.size());
    const std::string text =
        Json{{"metadata", {{"total_size", total_bytes_}}}, {"weight_map", map}}.dump(2) + "\n";
    OutputFile file(folder_ / index_file);
    file.write(0, std::as_bytes(std::span(text)));
    file.finish();
}

void SafetensorsWriter::finish() {
    for (OutputFile& file : files_) file.finish();
    if (shards_.size() > 1) write_index();  // last: what has it is whole
}

}  // namespace assay
