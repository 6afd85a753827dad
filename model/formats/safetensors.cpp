// https://github.com/huggingface/safetensors: 8 bytes length of the header, the header as JSON
// {name: {dtype, shape, data_offsets: [begin, end]}}, then the tensors' bytes without gaps.
#include "model/formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "model/formats/json.h"
#include "runtime/error.h"

namespace assay {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t longest_header = 100'000'000;  // as the reference implementation has it
constexpr std::size_t most_dimensions = 8;

std::uint64_t whole_number(const std::string& where, const json& value) {
    if (!value.is_number_unsigned())
        throw Error(where + ": " + printable(value.dump()) + " is not a 64-bit whole number");
    return value.get<std::uint64_t>();
}

const json& member(const std::string& where, const json& entry, const char* name) {
    const auto found = entry.find(name);
    if (found == entry.end()) throw Error(where + ": has no " + name);
    return *found;
}

std::vector<std::uint64_t> numbers(const std::string& where, const json& entry, const char* name) {
    const json& list = member(where, entry, name);
    if (!list.is_array()) throw Error(where + ": " + name + " is no list but " + list.type_name());
    if (list.size() > most_dimensions)
        throw Error(where + ": " + name + " has " + std::to_string(list.size()) +
                    " numbers, at most " + std::to_string(most_dimensions) + " are allowed");
    std::vector<std::uint64_t> values;
    for (const json& value : list) values.push_back(whole_number(where + ": " + name, value));
    return values;
}

// One entry of the header, its place in the data not yet compared with the others'.
struct Entry {
    std::string name, where, dtype;
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0, end = 0;
};

Entry read_entry(const std::string& path, const std::string& name, const json& entry) {
    Entry result{name, path + ": " + printable(name), {}, {}, 0, 0};
    const std::string& where = result.where;
    if (!entry.is_object()) throw Error(where + ": is no object but " + entry.type_name());
    const json& dtype = member(where, entry, "dtype");
    if (!dtype.is_string()) throw Error(where + ": dtype is no string but " + dtype.type_name());
    result.dtype = dtype.get<std::string>();
    result.shape = numbers(where, entry, "shape");
    const auto offsets = numbers(where, entry, "data_offsets");
    if (offsets.size() != 2)
        throw Error(where + ": data_offsets has " + std::to_string(offsets.size()) +
                    " numbers, 2 are needed");
    result.begin = offsets[0];
    result.end = offsets[1];
    if (result.begin > result.end)
        throw Error(where + ": begins at byte " + std::to_string(result.begin) + ", ends at " +
                    std::to_string(result.end));
    return result;
}

std::vector<Entry> read_entries(const std::string& path, const json& header) {
    std::vector<Entry> entries;
    for (const auto& [name, entry] : header.items())
        if (name != "__metadata__") entries.push_back(read_entry(path, name, entry));
    std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
    return entries;
}

// The data is tiled by the tensors exactly: neither hole nor overlap, to the file's last byte.
void check_tiling(const std::string& path, const std::vector<Entry>& entries, std::uint64_t size) {
    std::uint64_t covered = 0;
    for (const Entry& entry : entries) {
        if (entry.end > size)
            throw Error(entry.where + ": ends at byte " + std::to_string(entry.end) +
                        " of the data, the file holds " + std::to_string(size));
        if (entry.begin != covered)
            throw Error(entry.where + ": begins at byte " + std::to_string(entry.begin) +
                        " of the data, the tensor before it ends at " + std::to_string(covered));
        covered = entry.end;
    }
    if (covered != size)
        throw Error(path + ": tensors end at byte " + std::to_string(covered) +
                    " of the data, the file holds " + std::to_string(size));
}

FileTensor to_tensor(Entry entry, Format format, std::span<const std::byte> data) {
    const std::uint64_t bytes = tensor_bytes(entry.where, format, entry.shape);
    if (bytes != entry.end - entry.begin)
        throw Error(entry.where + ": " + std::to_string(entry.end - entry.begin) +
                    " bytes in the file, " + shape_text(entry.shape) + " of " + entry.dtype +
                    " take " + std::to_string(bytes));
    return {std::move(entry.name), format, std::move(entry.shape),
            data.subspan(entry.begin, bytes)};
}

std::uint64_t header_length(const MappedFile& file) {
    const auto bytes = file.bytes();
    const std::string path = file.path().string();
    std::uint64_t length = 0;
    if (bytes.size() < sizeof length)
        throw Error(path + ": " + std::to_string(bytes.size()) +
                    " bytes, a safetensors file has at least 8");
    std::memcpy(&length, bytes.data(), sizeof length);
    const std::uint64_t limit = std::min(longest_header, bytes.size() - sizeof length);
    if (length > limit)
        throw Error(path + ": header of " + std::to_string(length) + " bytes, at most " +
                    std::to_string(limit) + " are possible in this file");
    return length;
}

}  // namespace

FileTensors read_safetensors(const MappedFile& file) {
    const std::string path = file.path().string();
    const std::uint64_t length = header_length(file);
    const json header = parse_json_object(path + ": header", file.text().substr(8, length));
    const auto data = file.bytes().subspan(8 + length);

    std::vector<Entry> entries = read_entries(path, header);
    check_tiling(path, entries, data.size());
    FileTensors result;
    for (Entry& entry : entries) {
        if (const auto format = format_from_safetensors(entry.dtype))
            result.tensors.push_back(to_tensor(std::move(entry), *format, data));
        else
            result.unsupported.push_back({std::move(entry.name), std::move(entry.dtype)});
    }
    return result;
}

}  // namespace assay
