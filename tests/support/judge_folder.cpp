#include "tests/support/judge_folder.h"

#include <bit>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "model/formats/safetensors_writer.h"
#include "model/merge/arithmetic.h"
#include "tests/support/paths.h"

namespace assay::test {
namespace {

namespace fs = std::filesystem;

// The wire format of protocol buffers, as far as sentencepiece_model.proto needs it.
std::string varint(std::uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
    return bytes + static_cast<char>(value);
}

std::string number(std::uint32_t field, std::uint64_t value) {
    return varint(field << 3) + varint(value);
}

std::string text(std::uint32_t field, const std::string& value) {
    return varint(field << 3 | 2) + varint(value.size()) + value;
}

std::string real(std::uint32_t field, float value) {
    std::string bytes = varint(field << 3 | 5);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift);
    return bytes;
}

std::string tokenizer_model(const Vocabulary& vocabulary) {
    constexpr std::uint32_t pieces = 1, trainer = 2, normalizer = 3, model_type = 3, bpe = 2,
                            byte_fallback = 35, normalizer_name = 1, add_dummy_prefix = 3,
                            remove_extra_whitespaces = 4;
    std::string model;
    for (std::size_t i = 0; i < vocabulary.pieces.size(); ++i)
        model += text(pieces, text(1, vocabulary.pieces[i]) + real(2, vocabulary.scores[i]) +
                                  number(3, static_cast<std::uint64_t>(vocabulary.types[i])));
    return model + text(trainer, number(model_type, bpe) + number(byte_fallback, 1)) +
           text(normalizer, text(normalizer_name, "identity") + number(add_dummy_prefix, 1) +
                                number(remove_extra_whitespaces, 0));
}

// In the order of Hugging Face's rows.
std::vector<float> values_of(const FileTensor& tensor, const Checkpoint& judge) {
    const std::uint32_t head_dim = judge.config().head_dim;
    const bool permuted =
        tensor.name.ends_with("q_proj.weight") || tensor.name.ends_with("k_proj.weight");
    const std::uint64_t columns = tensor.columns();
    std::vector<float> values(tensor.rows() * columns);
    for (std::uint32_t row = 0; row < tensor.rows(); ++row) {
        const std::uint64_t from = permuted ? unpermuted_row(row, head_dim) : row;
        decode(tensor.format, tensor.data.data() + from * columns * element_bytes(tensor.format),
               std::span(values).subspan(row * columns, columns));
    }
    return values;
}

nlohmann::json config_of(const Config& config) {
    return {{"architectures", {config.architecture}},
            {"model_type", "mistral"},
            {"torch_dtype", "bfloat16"},
            {"hidden_size", config.hidden_size},
            {"intermediate_size", config.intermediate_size},
            {"num_hidden_layers", config.num_hidden_layers},
            {"num_attention_heads", config.num_attention_heads},
            {"num_key_value_heads", config.num_key_value_heads},
            {"head_dim", config.head_dim},
            {"vocab_size", config.vocab_size},
            {"max_position_embeddings", config.max_position_embeddings},
            {"rms_norm_eps", config.rms_norm_eps},
            {"rope_theta", config.rope_theta}};
}

}  // namespace

void write_judge(const fs::path& to, float scale) {
    const Checkpoint judge(source_folder() / "model/demo/demo-judge.gguf");
    fs::create_directories(to);
    std::ofstream(to / "config.json") << config_of(judge.config());
    std::ofstream(to / "tokenizer.model", std::ios::binary)
        << tokenizer_model(judge.tokenizer().vocabulary());
    SafetensorsWriter writer(to, std::uint64_t{1} << 40);
    for (const FileTensor& tensor : judge.tensors())
        writer.add(tensor.name, Format::bf16, tensor.shape);
    writer.write_headers();
    for (std::size_t i = 0; i < judge.tensors().size(); ++i) {
        const FileTensor& tensor = judge.tensors()[i];
        std::vector<float> values = values_of(tensor, judge);
        if (tensor.name.starts_with("model.layers."))
            for (float& value : values) value *= scale;
        std::vector<std::byte> bytes(2 * values.size());
        encode(Format::bf16, values, bytes.data());
        writer.write(i, 0, bytes);
    }
    writer.finish();
}

}  // namespace assay::test
