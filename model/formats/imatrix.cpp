#include "model/formats/imatrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string_view>

#include "model/formats/gguf.h"
#include "model/formats/gguf_writer.h"
#include "model/formats/mapped_file.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::string_view squares_suffix = ".in_sum2", counts_suffix = ".counts";

std::vector<float> floats(const std::string& where, const FileTensor& tensor) {
    if (tensor.format != Format::f32)
        throw Error(where + ": in " + std::string(info(tensor.format).name) + ", f32 is needed");
    std::vector<float> values(tensor.data.size() / sizeof(float));
    std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    return values;
}

void check(const std::string& where, const InputSums& sums) {
    if (sums.counts.empty() || sums.squares.size() != sums.counts.size() * sums.columns)
        throw Error(where + ": " + std::to_string(sums.squares.size()) + " sums, " +
                    std::to_string(sums.counts.size()) + " matrices of " +
                    std::to_string(sums.columns) + " columns");
    const auto bad = [](float value) { return !(value >= 0) || std::isinf(value); };
    const auto no_count = [&](float count) { return bad(count) || (count > 0 && count < 1); };
    if (std::ranges::any_of(sums.squares, bad) || std::ranges::any_of(sums.counts, no_count))
        throw Error(where + ": has a sum that is negative or no finite number, or a count below 1");
}

ImportanceFile read_gguf_kind(const MappedFile& file) {
    const std::string where = file.path().string();
    const Gguf content = read_gguf(file);
    ImportanceFile result;
    for (const FileTensor& tensor : content.tensors.tensors) {
        const std::string here = where + ": " + printable(tensor.name);
        const std::string_view name = tensor.name;
        if (name.ends_with(squares_suffix)) {
            InputSums& sums =
                result.tensors[std::string(name.substr(0, name.size() - squares_suffix.size()))];
            sums.squares = floats(here, tensor);
            sums.columns = tensor.columns();
        } else if (name.ends_with(counts_suffix)) {
            result.tensors[std::string(name.substr(0, name.size() - counts_suffix.size()))].counts =
                floats(here, tensor);
        }
    }
    const GgufMetadata& metadata = content.metadata;
    const auto number = [&](const char* key) {
        return static_cast<std::uint32_t>(metadata.find<std::uint64_t>(key).value_or(0));
    };
    result.datasets =
        metadata.find<std::vector<std::string>>("imatrix.datasets").value_or(result.datasets);
    result.chunks = number("imatrix.chunk_count");
    result.chunk_tokens = number("imatrix.chunk_size");
    return result;
}

// Reads forwards through the older kind of file, which has neither magic nor version.
class Reader {
public:
    explicit Reader(const MappedFile& file) : where_(file.path().string()), text_(file.text()) {}

    bool at_end() const { return text_.empty(); }

    std::uint32_t count(const std::string& what) {
        std::int32_t value = 0;
        std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
        if (value < 0)
            throw Error(where_ + ": " + what + ": " + std::to_string(value) +
                        ", no importance file is like this");
        return static_cast<std::uint32_t>(value);
    }

    std::string_view take(std::uint64_t bytes, const std::string& what) {
        if (bytes > text_.size())
            throw Error(where_ + ": " + what + ": " + std::to_string(bytes) +
                        " bytes, the file has " + std::to_string(text_.size()) + " left");
        const std::string_view part = text_.substr(0, bytes);
        text_.remove_prefix(bytes);
        return part;
    }

private:
    std::string where_;
    std::string_view text_;
};

// Number of tensors; of each: name, calls, values, which are means times calls; then all calls and
// the data set's name. The experts of a layer are rows of one tensor.
ImportanceFile read_older_kind(const MappedFile& file) {
    Reader reader(file);
    ImportanceFile result;
    const std::uint32_t tensors = reader.count("tensors");
    for (std::uint32_t i = 0; i < tensors; ++i) {
        const std::string name(reader.take(reader.count("length of a name"), "name"));
        const std::string what = printable(name);
        const std::uint32_t calls = reader.count(what + ": calls");
        InputSums& sums = result.tensors[name];
        sums.columns = reader.count(what + ": values");
        sums.counts = {static_cast<float>(calls)};
        const std::string_view values = reader.take(sums.columns * sizeof(float), what);
        sums.squares.resize(sums.columns);
        std::memcpy(sums.squares.data(), values.data(), values.size());
    }
    if (reader.at_end()) return result;  // the first files end here
    result.chunks = reader.count("chunks");
    if (reader.at_end()) return result;
    result.datasets.emplace_back(reader.take(reader.count("length of a name"), "data set"));
    return result;
}

}  // namespace

ImportanceFile read_importance(const std::filesystem::path& path) {
    const MappedFile file(path);
    ImportanceFile content =
        file.text().starts_with("GGUF") ? read_gguf_kind(file) : read_older_kind(file);
    if (content.tensors.empty()) throw Error(path.string() + ": holds the importance of no tensor");
    for (const auto& [name, sums] : content.tensors)
        check(path.string() + ": " + printable(name), sums);
    return content;
}

void write_importance(const std::filesystem::path& path, const ImportanceFile& content) {
    GgufWriter writer(path);
    writer.add("general.type", std::string_view("imatrix"));
    writer.add("imatrix.datasets", std::span<const std::string>(content.datasets));
    writer.add("imatrix.chunk_count", content.chunks);
    writer.add("imatrix.chunk_size", content.chunk_tokens);
    for (const auto& [name, sums] : content.tensors) {
        const std::uint64_t matrices = sums.counts.size();
        writer.add_tensor(name + std::string(squares_suffix), Format::f32,
                          std::vector{matrices, sums.columns});
        writer.add_tensor(name + std::string(counts_suffix), Format::f32,
                          std::vector{matrices, std::uint64_t{1}});
    }
    writer.write_header();
    std::size_t tensor = 0;
    for (const auto& [name, sums] : content.tensors) {
        writer.write(tensor++, 0, std::as_bytes(std::span(sums.squares)));
        writer.write(tensor++, 0, std::as_bytes(std::span(sums.counts)));
    }
    writer.finish();
}

std::vector<float> importance_of(const InputSums& sums) {
    std::vector<float> means(sums.squares.size(), 1.0f);
    for (std::size_t i = 0; i < means.size(); ++i)
        if (const float count = sums.counts[i / sums.columns]; count > 0)
            means[i] = sums.squares[i] / count;
    return means;
}

}  // namespace assay
