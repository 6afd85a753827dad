#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "model/formats/dequantise.h"
#include "model/formats/mapped_file.h"
#include "model/mistral.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::uint64_t block_bytes =
    512ull << 20;  // weights lie in blocks of this size, or of their own if larger
constexpr std::uint64_t staging_bytes = 16ull << 20;
constexpr std::uint64_t alignment = 256;

std::uint64_t align_up(std::uint64_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

// Brings weights to the device through two staging buffers: the host fills one while the device
// empties the other.
class Uploader {
public:
    Uploader(Device& device, std::uint64_t total, const LoadProgress& progress)
        : device_(device), stream_(device), total_(total), progress_(progress) {}

    // Room for what follows, in the last block of weights or a new one.
    std::uint64_t place(std::vector<Buffer>& memory, std::uint64_t bytes) {
        bytes = align_up(bytes);
        if (memory.empty() || used_ + bytes > memory.back().bytes()) {
            // Blocks are as large as what is still to come, at most block_bytes.
            memory.emplace_back(device_, std::max(bytes, std::min(block_bytes, remaining_)),
                                Memory::device, "weights");
            used_ = 0;
        }
        used_ += bytes;
        remaining_ -= std::min(remaining_, bytes);
        return memory.back().address() + used_ - bytes;
    }
    void expect(std::uint64_t bytes) { remaining_ = bytes; }

    void matrix(const FileTensor& from, const Weight& to, std::uint32_t head_dim) {
        const std::uint64_t bytes_per_row = row_bytes(to.format, to.in_dim);
        const std::uint32_t whole =
            head_dim != 0 ? head_dim : 2;  // rows that repack takes together
        const auto rows_at_once = static_cast<std::uint32_t>(std::max<std::uint64_t>(
                                      staging_bytes / bytes_per_row / whole, 1)) *
                                  whole;
        for (std::uint32_t row = 0; row < to.out_dim; row += rows_at_once) {
            const std::uint32_t rows = std::min(rows_at_once, to.out_dim - row);
            const Tensor staged =
                stage(from.data.subspan(row * bytes_per_row, rows * bytes_per_row));
            ops::repack(stream_, staged, rows, row, to, head_dim);
            ring_[next_].ticket = stream_.submit();
            next_ = 1 - next_;
        }
    }

    void vector(std::span<const float> from, const Tensor& to) {
        stream_.copy(stream_.upload(from), to);
        if (progress_) progress_(done_, total_);
    }

    void count(std::uint64_t bytes) { done_ += bytes; }
    void finish() { stream_.wait(); }

private:
    struct Slot {
        Buffer buffer;
        Ticket ticket{};
    };

    Tensor stage(std::span<const std::byte> bytes) {
        Slot& slot = ring_[next_];
        if (slot.buffer.bytes() < bytes.size()) {
            stream_.wait(slot.ticket);
            slot.buffer = Buffer(device_, std::max<std::uint64_t>(bytes.size(), staging_bytes),
                                 Memory::upload, "staging");
        }
        stream_.wait(slot.ticket);
        std::memcpy(slot.buffer.host().data(), bytes.data(), bytes.size());
        done_ += bytes.size();
        if (progress_) progress_(done_, total_);
        return {slot.buffer.address()};
    }

    Device& device_;
    std::array<Slot, 2> ring_;
    std::size_t next_ = 0;
    Stream stream_;  // its destructor waits for what still reads the ring
    std::uint64_t used_ = 0, remaining_ = 0, done_ = 0, total_;
    const LoadProgress& progress_;
};

std::uint64_t padded_bytes(const FileTensor& tensor) {
    return align_up((tensor.rows() + panel_rows - 1) / panel_rows * panel_rows *
                    row_bytes(tensor.format, tensor.columns()));
}

std::uint64_t file_bytes(const Checkpoint& checkpoint) {
    std::uint64_t bytes = 0;
    for (const FileTensor& tensor : checkpoint.tensors()) bytes += tensor.data.size();
    return bytes;
}

// A norm's weight as floats. They are few, so they are looked at here: one that is no number names
// itself.
std::vector<float> norm_values(const FileTensor& tensor) {
    const FormatInfo& format = info(tensor.format);
    if (format.block_size != 1)
        throw Error(tensor.name + ": stored as " + std::string(format.name) +
                    ", a norm must be f32, f16 or bf16");
    std::vector<float> values(tensor.columns());
    dequantise(tensor.format, tensor.data, values);
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isfinite(values[i]))
            throw Error(tensor.name + ": element " + std::to_string(i) + " is " +
                        std::to_string(values[i]) + ", not a finite number");
    return values;
}

class Loader {
public:
    Loader(Device& device, const Checkpoint& checkpoint, std::uint32_t context,
           const LoadProgress& progress)
        : checkpoint_(checkpoint),
          config_(checkpoint.config()),
          context_(context),
          uploader_(device, file_bytes(checkpoint), progress) {
        uploader_.expect(weight_bytes(checkpoint, context));
    }

    Weights load() {
        weights_.embedding = matrix("model.embed_tokens.weight");
        for (std::uint32_t i = 0; i < config_.num_hidden_layers; ++i) {
            const std::string layer = "model.layers." + std::to_string(i) + ".";
            const std::uint32_t head_dim = checkpoint_.permuted_qk() ? config_.head_dim : 0;
            weights_.layers.push_back({
                .attention_norm = vector(layer + "input_layernorm.weight"),
                .ffn_norm = vector(layer + "post_attention_layernorm.weight"),
                .attention = {.wq = matrix(layer + "self_attn.q_proj.weight", head_dim),
                              .wk = matrix(layer + "self_attn.k_proj.weight", head_dim),
                              .wv = matrix(layer + "self_attn.v_proj.weight"),
                              .wo = matrix(layer + "self_attn.o_proj.weight")},
                .ffn = {.w1 = matrix(layer + "mlp.gate_proj.weight"),
                        .w2 = matrix(layer + "mlp.down_proj.weight"),
                        .w3 = matrix(layer + "mlp.up_proj.weight")},
            });
        }
        weights_.norm = vector("model.norm.weight");
        weights_.output =
            config_.tie_word_embeddings ? weights_.embedding : matrix("lm_head.weight");
        const std::vector<float> angles = rope_angles(config_, context_);
        weights_.angles = place(angles, {context_, config_.head_dim / 2, 2});
        uploader_.finish();
        return std::move(weights_);
    }

private:
    Weight matrix(const std::string& name, std::uint32_t head_dim = 0) {
        const FileTensor& tensor = checkpoint_.tensor(name);
        const Weight weight{.address = uploader_.place(weights_.memory, padded_bytes(tensor)),
                            .out_dim = static_cast<std::uint32_t>(tensor.rows()),
                            .in_dim = static_cast<std::uint32_t>(tensor.columns()),
                            .format = tensor.format};
        uploader_.matrix(tensor, weight, head_dim);
        weights_.matrices.emplace_back(name, weight);
        release(tensor.data);
        return weight;
    }

    Tensor vector(const std::string& name) {
        const FileTensor& tensor = checkpoint_.tensor(name);
        uploader_.count(tensor.data.size());
        return place(norm_values(tensor), {static_cast<std::uint32_t>(tensor.columns()), 1, 1});
    }

    Tensor place(const std::vector<float>& values, std::array<std::uint32_t, 3> shape) {
        const Tensor to{uploader_.place(weights_.memory, values.size() * sizeof(float)), shape};
        uploader_.vector(values, to);
        return to;
    }

    const Checkpoint& checkpoint_;
    const Config& config_;
    std::uint32_t context_;
    Weights weights_;
    Uploader uploader_;  // goes first: it waits for what still writes the weights
};

}  // namespace

std::vector<float> rope_angles(const Config& config, std::uint32_t context) {
    const std::uint32_t pairs = config.head_dim / 2;
    std::vector<float> frequencies(pairs), angles;
    for (std::uint32_t i = 0; i < pairs; ++i)
        frequencies[i] = 1 /
                         std::pow(config.rope_theta,
                                  static_cast<float>(2 * i) / static_cast<float>(config.head_dim)) /
                         config.rope_scaling_factor;
    angles.reserve(std::size_t{context} * config.head_dim);
    for (std::uint32_t position = 0; position < context; ++position)
        for (float frequency : frequencies) {
            const double angle = static_cast<float>(position) * frequency;
            angles.push_back(static_cast<float>(std::cos(angle)));
            angles.push_back(static_cast<float>(std::sin(angle)));
        }
    return angles;
}

std::optional<std::string> find_broken_weight(Stream& stream, const Weights& weights) {
    constexpr std::uint32_t rows_at_once = 1024;
    for (const auto& [name, weight] : weights.matrices)
        for (std::uint32_t first = 0; first < weight.out_dim; first += rows_at_once) {
            auto scratch = stream.scope();
            std::vector<std::uint32_t> rows(std::min(rows_at_once, weight.out_dim - first));
            std::iota(rows.begin(), rows.end(), first);
            std::vector<float> values(rows.size() * weight.in_dim);
            stream.download(
                ops::embed(stream, weight, stream.upload(std::span<const std::uint32_t>(rows))),
                std::span(values));
            stream.wait();
            const auto broken =
                std::ranges::find_if_not(values, [](float v) { return std::isfinite(v); });
            if (broken == values.end()) continue;
            const auto index = static_cast<std::size_t>(broken - values.begin());
            return name + ": row " + std::to_string(first + index / weight.in_dim) + ", column " +
                   std::to_string(index % weight.in_dim) + " is " + std::to_string(*broken);
        }
    return std::nullopt;
}

std::uint64_t weight_bytes(const Checkpoint& checkpoint, std::uint32_t context) {
    std::uint64_t bytes =
        align_up(std::uint64_t{context} * checkpoint.config().head_dim * sizeof(float));
    for (const FileTensor& tensor : checkpoint.tensors())
        bytes += tensor.shape.size() == 1 ? align_up(tensor.columns() * sizeof(float))
                                          : padded_bytes(tensor);
    return bytes;
}

Weights load_weights(Device& device, const Checkpoint& checkpoint, std::uint32_t context,
                     const LoadProgress& progress) {
    return Loader(device, checkpoint, context, progress).load();
}

}  // namespace assay
