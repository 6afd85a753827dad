// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: magic, version, counts, key-value
// pairs, tensor infos (dimensions innermost first), padding, then the tensors' aligned bytes.
#include "model/formats/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>

#include "runtime/error.h"

namespace assay {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t default_alignment = 32;
constexpr std::uint32_t most_dimensions = 4;
constexpr std::uint64_t longest_name = 65535;
constexpr std::uint64_t longest_array = 1u << 24;                 // vocabularies stay well below
constexpr std::uint64_t smallest_pair = 8 + 1 + 4 + 1;            // key of one byte, type, value
constexpr std::uint64_t smallest_tensor = 8 + 1 + 4 + 8 + 4 + 8;  // name ... offset

std::string number(std::uint64_t value) { return std::to_string(value); }

// Reads forwards through the file; every read is bounded by its end.
class Reader {
public:
    Reader(std::string path, std::string_view text) : path_(std::move(path)), text_(text) {}

    std::uint64_t position() const { return position_; }
    std::uint64_t left() const { return text_.size() - position_; }
    std::string_view since(std::uint64_t begin) const {
        return text_.substr(begin, position_ - begin);
    }
    const std::string& path() const { return path_; }

    template <class T>
    T read(const std::string& what) {
        T value;
        std::memcpy(&value, take(what, sizeof value).data(), sizeof value);
        return value;
    }

    std::string_view take(const std::string& what, std::uint64_t bytes) {
        if (bytes > left())
            throw Error(path_ + ": " + what + ": " + number(bytes) + " bytes at byte " +
                        number(position_) + ", the file has " + number(left()) + " left");
        const std::string_view part = text_.substr(position_, bytes);
        position_ += bytes;
        return part;
    }

    std::string_view string(const std::string& what) {
        const auto length = read<std::uint64_t>(what);
        return take(what, length);
    }

    std::string name(const std::string& what) {
        const std::string_view text = string(what);
        if (text.empty() || text.size() > longest_name)
            throw Error(path_ + ": " + what + ": " + number(text.size()) + " bytes long, 1 to " +
                        number(longest_name) + " are allowed");
        return std::string(text);
    }

    // A count of things that take at least `bytes_each` in the rest of the file.
    void check_count(const std::string& what, std::uint64_t count, std::uint64_t bytes_each) const {
        if (count > left() / bytes_each)
            throw Error(path_ + ": " + what + ": " + number(count) + ", the file has room for " +
                        number(left() / bytes_each));
    }

private:
    std::string path_;
    std::string_view text_;
    std::uint64_t position_ = 0;
};

using Value = GgufMetadata::Value;

// Stored is the type in the file, Kept the one that Value holds.
template <class Stored, class Kept>
Value read_scalar(Reader& reader, const std::string& what) {
    return Kept{reader.read<Stored>(what)};
}

template <class Stored, class Kept>
Value read_array(Reader& reader, const std::string& what, std::uint64_t count) {
    reader.check_count(what + ": elements", count, sizeof(Stored));
    std::vector<Kept> values;
    values.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(Kept{reader.read<Stored>(what)});
    return values;
}

bool read_bool(Reader& reader, const std::string& what) {
    const auto byte = reader.read<std::uint8_t>(what);
    if (byte > 1)
        throw Error(reader.path() + ": " + what + ": boolean of value " + number(byte) +
                    ", 0 or 1 are allowed");
    return byte == 1;
}

Value read_bool_scalar(Reader& reader, const std::string& what) { return read_bool(reader, what); }

Value read_bool_array(Reader& reader, const std::string& what, std::uint64_t count) {
    reader.check_count(what + ": elements", count, 1);
    std::vector<bool> values;
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(read_bool(reader, what));
    return values;
}

Value read_string_scalar(Reader& reader, const std::string& what) {
    return std::string(reader.string(what));
}

Value read_string_array(Reader& reader, const std::string& what, std::uint64_t count) {
    reader.check_count(what + ": elements", count, sizeof(std::uint64_t));
    std::vector<std::string> values;
    values.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) values.emplace_back(reader.string(what));
    return values;
}

struct ValueType {
    std::string_view name;
    Value (*scalar)(Reader&, const std::string& what);
    Value (*array)(Reader&, const std::string& what, std::uint64_t count);
};

constexpr std::uint32_t array_type = 9;

template <class Stored, class Kept>
constexpr ValueType number_type(std::string_view name) {
    return {name, read_scalar<Stored, Kept>, read_array<Stored, Kept>};
}

// Indexed by the type's number in the file.
constexpr std::array value_types{
    number_type<std::uint8_t, std::uint64_t>("u8"),
    number_type<std::int8_t, std::int64_t>("i8"),
    number_type<std::uint16_t, std::uint64_t>("u16"),
    number_type<std::int16_t, std::int64_t>("i16"),
    number_type<std::uint32_t, std::uint64_t>("u32"),
    number_type<std::int32_t, std::int64_t>("i32"),
    number_type<float, double>("f32"),
    ValueType{"bool", read_bool_scalar, read_bool_array},
    ValueType{"string", read_string_scalar, read_string_array},
    ValueType{"array", nullptr, nullptr},
    number_type<std::uint64_t, std::uint64_t>("u64"),
    number_type<std::int64_t, std::int64_t>("i64"),
    number_type<double, double>("f64"),
};

const ValueType& read_type(Reader& reader, const std::string& what) {
    const auto type = reader.read<std::uint32_t>(what);
    if (type >= value_types.size())
        throw Error(reader.path() + ": " + what + ": value type " + number(type) +
                    ", the largest known is " + number(value_types.size() - 1));
    return value_types[type];
}

Value read_value(Reader& reader, const std::string& key) {
    const ValueType& type = read_type(reader, key);
    if (&type != &value_types[array_type]) return type.scalar(reader, key);
    const ValueType& element = read_type(reader, key);
    if (&element == &value_types[array_type])
        throw Error(reader.path() + ": " + key + ": array of arrays, only flat ones are allowed");
    const auto count = reader.read<std::uint64_t>(key);
    if (count > longest_array)
        throw Error(reader.path() + ": " + key + ": " + number(count) + " elements, at most " +
                    number(longest_array) + " are allowed");
    return element.array(reader, key, count);
}

struct Counts {
    std::uint64_t tensors = 0, pairs = 0;
};

Counts read_header(Reader& reader) {
    const std::string_view magic = reader.take("magic", 4);
    if (magic != "GGUF")
        throw Error(reader.path() + ": begins with \"" + printable(magic) +
                    "\", a GGUF file with \"GGUF\"");
    const auto version = reader.read<std::uint32_t>("version");
    if (version != 0 && (version & 0xffff) == 0)
        throw Error(reader.path() + ": big-endian GGUF, only little-endian files are supported");
    if (version != 2 && version != 3)
        throw Error(reader.path() + ": GGUF version " + number(version) +
                    ", supported are 2 and 3");
    Counts counts;
    counts.tensors = reader.read<std::uint64_t>("tensor count");
    counts.pairs = reader.read<std::uint64_t>("metadata count");
    reader.check_count("tensor count", counts.tensors, smallest_tensor);
    reader.check_count("metadata count", counts.pairs, smallest_pair);
    return counts;
}

struct TensorInfo {
    std::string name, where;
    std::vector<std::uint64_t> shape;  // outermost first
    std::uint32_t type = 0;
    std::uint64_t offset = 0;  // from the beginning of the data
};

TensorInfo read_tensor_info(Reader& reader) {
    TensorInfo tensor;
    tensor.name = reader.name("tensor name");
    const std::string name = printable(tensor.name);
    tensor.where = reader.path() + ": " + name;
    const auto dimensions = reader.read<std::uint32_t>(name);
    if (dimensions > most_dimensions)
        throw Error(tensor.where + ": " + number(dimensions) + " dimensions, at most " +
                    number(most_dimensions) + " are allowed");
    for (std::uint32_t i = 0; i < dimensions; ++i)
        tensor.shape.push_back(reader.read<std::uint64_t>(name));
    std::ranges::reverse(tensor.shape);
    tensor.type = reader.read<std::uint32_t>(name);
    tensor.offset = reader.read<std::uint64_t>(name);
    return tensor;
}

std::vector<TensorInfo> read_tensor_infos(Reader& reader, std::uint64_t count) {
    std::vector<TensorInfo> tensors;
    std::set<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i) {
        tensors.push_back(read_tensor_info(reader));
        if (!names.insert(tensors.back().name).second)
            throw Error(tensors.back().where + ": is there twice");
    }
    return tensors;
}

std::uint64_t alignment(const GgufMetadata& metadata) {
    const auto value =
        metadata.find<std::uint64_t>("general.alignment").value_or(default_alignment);
    if (!std::has_single_bit(value) || value > UINT32_MAX)
        throw Error(metadata.path() + ": general.alignment: " + number(value) +
                    " is not a 32-bit power of two");
    return value;
}

// The bytes after the infos, from the next multiple of the alignment on.
std::span<const std::byte> data_section(const MappedFile& file, std::uint64_t infos_end,
                                        std::uint64_t alignment) {
    const std::uint64_t begin = (infos_end + alignment - 1) / alignment * alignment;
    return begin < file.bytes().size() ? file.bytes().subspan(begin) : std::span<const std::byte>{};
}

// Names of ggml's tensor types, for the error about one that is not supported; "" was removed.
constexpr std::array<std::string_view, 41> ggml_types{
    "F32",     "F16",   "Q4_0",   "Q4_1",  "",      "",       "Q5_0", "Q5_1",    "Q8_0",
    "Q8_1",    "Q2_K",  "Q3_K",   "Q4_K",  "Q5_K",  "Q6_K",   "Q8_K", "IQ2_XXS", "IQ2_XS",
    "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",   "I16",     "I32",
    "I64",     "F64",   "IQ1_M",  "BF16",  "",      "",       "",     "TQ1_0",   "TQ2_0",
    "",        "",      "",       "MXFP4", "NVFP4"};

std::string type_name(std::uint32_t type) {
    if (type < ggml_types.size() && !ggml_types[type].empty()) return std::string(ggml_types[type]);
    return "number " + number(type);
}

FileTensor to_tensor(const TensorInfo& tensor, Format format, std::span<const std::byte> data) {
    const std::uint64_t bytes = tensor_bytes(tensor.where, format, tensor.shape);
    if (tensor.offset > data.size() || bytes > data.size() - tensor.offset)
        throw Error(tensor.where + ": " + number(bytes) + " bytes from byte " +
                    number(tensor.offset) + " of the data, the file holds " + number(data.size()));
    return {tensor.name, format, tensor.shape, data.subspan(tensor.offset, bytes)};
}

void check_overlap(const std::string& path, const FileTensors& result) {
    std::vector<const FileTensor*> sorted;
    for (const FileTensor& tensor : result.tensors) sorted.push_back(&tensor);
    std::ranges::sort(sorted, {}, [](const FileTensor* t) { return t->data.data(); });
    for (std::size_t i = 1; i < sorted.size(); ++i)
        if (sorted[i]->data.data() < sorted[i - 1]->data.data() + sorted[i - 1]->data.size())
            throw Error(path + ": " + printable(sorted[i]->name) + ": shares bytes with " +
                        printable(sorted[i - 1]->name));
}

FileTensors to_tensors(const std::string& path, const std::vector<TensorInfo>& infos,
                       std::span<const std::byte> data, std::uint64_t alignment) {
    FileTensors result;
    for (const TensorInfo& tensor : infos) {
        if (tensor.offset % alignment != 0)
            throw Error(tensor.where + ": offset " + number(tensor.offset) +
                        " is not a multiple of the alignment " + number(alignment));
        if (const auto format = format_from_ggml(tensor.type))
            result.tensors.push_back(to_tensor(tensor, *format, data));
        else
            result.unsupported.push_back({tensor.name, type_name(tensor.type)});
    }
    check_overlap(path, result);
    return result;
}

// What the alternatives of Value are called in errors, in their order.
constexpr std::array<std::string_view, std::variant_size_v<Value>> kinds{
    "whole number",
    "signed whole number",
    "float",
    "boolean",
    "string",
    "array of whole numbers",
    "array of signed whole numbers",
    "array of floats",
    "array of booleans",
    "array of strings"};

}  // namespace

void GgufMetadata::fail_absent(std::string_view key) const {
    throw Error(path_ + ": " + printable(key) + ": not in the file's metadata");
}

void GgufMetadata::insert(Pair pair, Value&& value) {
    if (!values_.try_emplace(pair.key, std::move(value)).second)
        throw Error(path_ + ": " + printable(pair.key) + ": is there twice");
    pairs_.push_back(std::move(pair));
}

template <class T>
std::optional<T> GgufMetadata::find(std::string_view key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) return std::nullopt;
    const Value& value = found->second;
    if (const auto* same = std::get_if<T>(&value)) return *same;
    if constexpr (std::is_same_v<T, std::uint64_t>)
        if (const auto* other = std::get_if<std::int64_t>(&value); other && *other >= 0)
            return static_cast<std::uint64_t>(*other);
    throw Error(path_ + ": " + printable(key) + ": " + std::string(kinds[value.index()]) +
                ", expected " + std::string(kinds[Value(T{}).index()]));
}

template std::optional<std::uint64_t> GgufMetadata::find(std::string_view) const;
template std::optional<double> GgufMetadata::find(std::string_view) const;
template std::optional<bool> GgufMetadata::find(std::string_view) const;
template std::optional<std::string> GgufMetadata::find(std::string_view) const;
template std::optional<std::vector<std::int64_t>> GgufMetadata::find(std::string_view) const;
template std::optional<std::vector<double>> GgufMetadata::find(std::string_view) const;
template std::optional<std::vector<std::string>> GgufMetadata::find(std::string_view) const;

Gguf read_gguf(const MappedFile& file) {
    const std::string path = file.path().string();
    Reader reader(path, file.text());
    const Counts counts = read_header(reader);
    Gguf result{GgufMetadata(path), {}};
    for (std::uint64_t i = 0; i < counts.pairs; ++i) {
        std::string key = reader.name("metadata key");
        const std::uint64_t begin = reader.position();
        Value value = read_value(reader, printable(key));
        result.metadata.insert({std::move(key), reader.since(begin)}, std::move(value));
    }
    const auto infos = read_tensor_infos(reader, counts.tensors);
    const std::uint64_t aligned = alignment(result.metadata);
    const auto data = data_section(file, reader.position(), aligned);
    result.tensors = to_tensors(path, infos, data, aligned);
    return result;
}

}  // namespace assay
