#include "model/quantise_model.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "model/formats/dequantise.h"
#include "model/formats/quantise.h"
#include "model/gguf_model.h"
#include "model/parallel.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::uint64_t piece_weights = 1 << 20;  // about, of whole rows

// Rows of a tensor's part that one thread does at a time.
struct Piece {
    std::size_t tensor, part;
    std::uint64_t row, rows;
};

class Work {
public:
    Work(const Checkpoint& from, const Mix& mix, const ImportanceFile* importance)
        : tensors_(gguf_tensors(from)), importance_(tensors_.size()) {
        const Config& c = from.config();
        const MixedModel model{.layers = c.num_hidden_layers,
                               .heads = c.num_attention_heads,
                               .key_value_heads = c.num_key_value_heads,
                               .experts = c.num_local_experts,
                               .tied_embeddings = c.tie_word_embeddings,
                               .has_importance = importance != nullptr};
        for (const GgufTensor& tensor : tensors_) {
            formats_.push_back(choose_format(mix, model, tensor.name, tensor.columns()));
            for (const FileTensor& part : tensor.parts) total_bytes_ += part.data.size();
        }
        if (importance) weigh(*importance);
    }

    // What is in the file, in the order of write().
    QuantisedModel declare(GgufWriter& writer) {
        QuantisedModel summary;
        summary.bytes_before = total_bytes_;
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const GgufTensor& tensor = tensors_[i];
            writer.add_tensor(tensor.name, formats_[i], tensor.shape);
            ++summary.tensors[formats_[i]];
            const std::uint64_t rows = tensor.part_rows(), columns = tensor.columns();
            const std::uint64_t at_once = std::max<std::uint64_t>(piece_weights / columns, 1);
            for (std::size_t part = 0; part < tensor.parts.size(); ++part) {
                summary.weights += rows * columns;
                for (std::uint64_t row = 0; row < rows; row += at_once)
                    pieces_.push_back({i, part, row, std::min(at_once, rows - row)});
            }
        }
        return summary;
    }

    void write(const GgufWriter& writer, std::uint32_t threads, const QuantiseProgress& progress) {
        parallel_for(threads, pieces_.size(),
                     [&](std::uint64_t i) { write_piece(writer, pieces_[i], progress); });
    }

private:
    void weigh(const ImportanceFile& importance) {
        bool used = false;
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const auto found = importance.tensors.find(tensors_[i].name);
            if (found == importance.tensors.end()) continue;
            used = true;
            importance_[i] = importance_of(found->second);
            const std::uint64_t expected = tensors_[i].parts.size() * tensors_[i].columns();
            if (importance_[i].size() != expected)
                throw Error(tensors_[i].name + ": importance of " +
                            std::to_string(importance_[i].size()) + " columns, the model has " +
                            std::to_string(expected));
        }
        if (!used)
            throw Error("the importance file names none of the model's tensors" +
                        (importance.tensors.empty()
                             ? std::string()
                             : ", its first is " + printable(importance.tensors.begin()->first)));
    }

    std::span<const float> importance_of_part(const Piece& piece) const {
        const std::span<const float> all = importance_[piece.tensor];
        if (all.empty()) return all;
        const std::uint64_t columns = tensors_[piece.tensor].columns();
        return all.subspan(piece.part * columns, columns);
    }

    void write_piece(const GgufWriter& writer, const Piece& piece,
                     const QuantiseProgress& progress) {
        const GgufTensor& tensor = tensors_[piece.tensor];
        const std::uint64_t row = piece.part * tensor.part_rows() + piece.row;
        writer.write(piece.tensor, row * row_bytes(formats_[piece.tensor], tensor.columns()),
                     quantised(piece));
        const std::scoped_lock lock(mutex_);
        done_bytes_ += piece.rows * row_bytes(tensor.parts[piece.part].format, tensor.columns());
        if (progress) progress(done_bytes_, total_bytes_);
    }

    std::vector<std::byte> quantised(const Piece& piece) const {
        const GgufTensor& tensor = tensors_[piece.tensor];
        const FileTensor& part = tensor.parts[piece.part];
        const Format to = formats_[piece.tensor];
        const std::uint64_t columns = tensor.columns(),
                            size_before = row_bytes(part.format, columns),
                            size = row_bytes(to, columns);
        std::vector<float> values(columns);
        std::vector<std::byte> blocks(piece.rows * size);
        for (std::uint64_t i = 0; i < piece.rows; ++i) {
            const std::uint64_t row = tensor.source_row(piece.row + i);
            const auto bytes = part.data.subspan(row * size_before, size_before);
            const auto made = std::span(blocks).subspan(i * size, size);
            if (part.format == to) {
                std::ranges::copy(bytes, made.begin());
                continue;
            }
            dequantise(part.format, bytes, values);
            check(part, row, to, values);
            quantise(to, values, columns, importance_of_part(piece), made);
        }
        release(part.data.subspan(piece.row * size_before, piece.rows * size_before));
        return blocks;
    }

    static void check(const FileTensor& part, std::uint64_t row, Format to,
                      std::span<const float> values) {
        if (const auto unfit = find_unfit(to, values))
            throw Error(part.name + ": row " + std::to_string(row) + ", column " +
                        std::to_string(*unfit) + ": " + std::to_string(values[*unfit]) +
                        ", which " + std::string(info(to).name) + " cannot hold");
    }

    std::vector<GgufTensor> tensors_;
    std::vector<Format> formats_;  // that they get
    std::vector<std::vector<float>>
        importance_;  // of each tensor's columns, for each part; or none
    std::vector<Piece> pieces_;
    std::uint64_t total_bytes_ = 0;

    std::mutex mutex_;  // of what follows, and of telling it
    std::uint64_t done_bytes_ = 0;
};

void describe(const ImportanceFile& importance, const std::string& name, GgufWriter& writer) {
    writer.add("quantize.imatrix.file", std::string_view(name));
    if (!importance.datasets.empty())
        writer.add("quantize.imatrix.dataset", std::string_view(importance.datasets.front()));
    writer.add("quantize.imatrix.entries_count",
               static_cast<std::uint32_t>(importance.tensors.size()));
    writer.add("quantize.imatrix.chunks_count", importance.chunks);
}

}  // namespace

QuantisedModel quantise_model(const Checkpoint& from, const std::filesystem::path& to,
                              const Mix& mix, const QuantiseOptions& options,
                              const QuantiseProgress& progress) {
    Work work(from, mix, options.importance);
    GgufWriter writer(to);
    describe(from, writer);
    writer.add("general.file_type", mix.file_type);
    if (info(mix.format).block_size != 1) writer.add("general.quantization_version", 2U);
    if (options.importance) describe(*options.importance, options.importance_name, writer);
    QuantisedModel summary = work.declare(writer);
    writer.write_header();
    work.write(writer, options.threads, progress);
    writer.finish();
    summary.bytes = writer.file_bytes();
    return summary;
}

}  // namespace assay
