#include "model/tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::string_view space_symbol = "\u2581";
constexpr std::string_view replacement = "\ufffd";

// SentencePiece's own status, or in newer versions Abseil's.
template <class Status>
void check(const Status& status, const std::string& where) {
    if (!status.ok()) throw Error(where + ": " + printable(status.ToString(), 250));
}

// Writes the wire format of protocol buffers, as far as a SentencePiece model needs it.
class ProtoWriter {
public:
    void add(std::uint32_t field, std::uint64_t value) {
        varint(field << 3);
        varint(value);
    }
    void add(std::uint32_t field, float value) {
        varint((field << 3) | 5);
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (unsigned shift = 0; shift < 32; shift += 8)
            bytes_ += static_cast<char>((bits >> shift) & 0xff);
    }
    void add(std::uint32_t field, std::string_view value) {
        varint((field << 3) | 2);
        varint(value.size());
        bytes_ += value;
    }
    const std::string& bytes() const { return bytes_; }

private:
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
        bytes_ += static_cast<char>(value);
    }

    std::string bytes_;
};

// Field numbers and values of sentencepiece_model.proto.
namespace proto {
constexpr std::uint32_t pieces = 1, trainer_spec = 2, normalizer_spec = 3;  // ModelProto
constexpr std::uint32_t piece = 1, score = 2, type = 3;                     // SentencePiece
enum Type : std::uint64_t { normal = 1, unknown, control, user_defined, unused, byte };
constexpr std::uint32_t model_type = 3, byte_fallback = 35;  // TrainerSpec
constexpr std::uint32_t unk_piece = 45, bos_piece = 46, eos_piece = 47;
constexpr std::uint64_t bpe = 2;
constexpr std::uint32_t normalizer_name = 1, add_dummy_prefix = 3;  // NormalizerSpec
constexpr std::uint32_t remove_extra_whitespaces = 4;
}  // namespace proto

// The vocabulary of a GGUF file: one entry per token id, types numbered as in proto::Type.
struct GgufVocabulary {
    std::vector<std::string> tokens;
    std::vector<double> scores;
    std::vector<std::int64_t> types;
    std::uint64_t bos = 1, eos = 2, unknown = 0;
};

std::uint64_t special_id(const GgufMetadata& metadata, const std::string& key,
                         std::uint64_t otherwise, std::size_t tokens) {
    const auto id = metadata.find<std::uint64_t>(key).value_or(otherwise);
    if (id >= tokens)
        throw Error(metadata.path() + ": " + key + ": " + std::to_string(id) +
                    ", the vocabulary has " + std::to_string(tokens) + " tokens");
    return id;
}

void check_token(const std::string& path, const GgufVocabulary& vocabulary, std::size_t id) {
    const auto fail = [&](const std::string& key, const std::string& reason) {
        throw Error(path + ": tokenizer.ggml." + key + ": token " + std::to_string(id) + reason);
    };
    const std::int64_t type = vocabulary.types[id];
    if (vocabulary.tokens[id].empty()) fail("tokens", " is empty");
    if (!std::isfinite(vocabulary.scores[id])) fail("scores", " has no finite score");
    if (type < 1 || type > static_cast<std::int64_t>(proto::byte))
        fail("token_type", " has type " + std::to_string(type) + ", allowed are 1 to 6");
}

GgufVocabulary read_vocabulary(const GgufMetadata& metadata) {
    const std::string prefix = "tokenizer.ggml.";
    const auto model = metadata.get<std::string>(prefix + "model");
    if (model != "llama")
        throw Error(metadata.path() + ": tokenizer.ggml.model: " + printable(model) +
                    ", only llama (SentencePiece) is supported");
    GgufVocabulary v;
    v.tokens = metadata.get<std::vector<std::string>>(prefix + "tokens");
    v.scores = metadata.get<std::vector<double>>(prefix + "scores");
    v.types = metadata.get<std::vector<std::int64_t>>(prefix + "token_type");
    const std::size_t count = v.tokens.size();
    if (v.scores.size() != count || v.types.size() != count)
        throw Error(metadata.path() + ": tokenizer.ggml: " + std::to_string(count) + " tokens, " +
                    std::to_string(v.scores.size()) + " scores, " + std::to_string(v.types.size()) +
                    " token types");
    v.bos = special_id(metadata, prefix + "bos_token_id", v.bos, count);
    v.eos = special_id(metadata, prefix + "eos_token_id", v.eos, count);
    v.unknown = special_id(metadata, prefix + "unknown_token_id", v.unknown, count);
    for (std::size_t id = 0; id < count; ++id) check_token(metadata.path(), v, id);
    return v;
}

// SentencePiece wants exactly one unknown piece; converters also write its type as control.
std::uint64_t piece_type(const GgufVocabulary& vocabulary, std::size_t id) {
    if (id == vocabulary.unknown) return proto::unknown;
    const auto type = static_cast<std::uint64_t>(vocabulary.types[id]);
    return type == proto::unknown ? proto::control : type;
}

std::string to_model_proto(const GgufVocabulary& v, bool add_prefix, bool squeeze_spaces) {
    ProtoWriter model;
    for (std::size_t id = 0; id < v.tokens.size(); ++id) {
        ProtoWriter piece;
        piece.add(proto::piece, v.tokens[id]);
        piece.add(proto::score, static_cast<float>(v.scores[id]));
        piece.add(proto::type, piece_type(v, id));
        model.add(proto::pieces, piece.bytes());
    }
    ProtoWriter trainer;
    const bool has_bytes = std::ranges::count(v.types, std::int64_t{proto::byte}) != 0;
    trainer.add(proto::model_type, proto::bpe);
    trainer.add(proto::byte_fallback, std::uint64_t{has_bytes});
    trainer.add(proto::unk_piece, v.tokens[v.unknown]);
    trainer.add(proto::bos_piece, v.tokens[v.bos]);
    trainer.add(proto::eos_piece, v.tokens[v.eos]);
    model.add(proto::trainer_spec, trainer.bytes());
    ProtoWriter normalizer;
    normalizer.add(proto::normalizer_name, std::string_view("identity"));
    normalizer.add(proto::add_dummy_prefix, std::uint64_t{add_prefix});
    normalizer.add(proto::remove_extra_whitespaces, std::uint64_t{squeeze_spaces});
    model.add(proto::normalizer_spec, normalizer.bytes());
    return model.bytes();
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
    std::string result;
    for (auto at = text.find(from); at != text.npos; at = text.find(from)) {
        result.append(text.substr(0, at)).append(to);
        text.remove_prefix(at + from.size());
    }
    return result.append(text);
}

// Bytes of a character beginning with this one; 0 where none begins.
std::size_t utf8_length(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;
    if (first >= 0xe0 && first < 0xf0) return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

enum class Utf8 { whole, begun, invalid };

// Whether a character of `length` bytes (2 to 4) stands at the beginning of the bytes.
Utf8 utf8_state(std::string_view bytes, std::size_t length) {
    std::uint32_t code = static_cast<unsigned char>(bytes[0]) & (0x7fu >> length);
    for (std::size_t i = 1; i < std::min(length, bytes.size()); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        if ((byte & 0xc0) != 0x80) return Utf8::invalid;
        code = code << 6 | (byte & 0x3fu);
    }
    if (bytes.size() < length) return Utf8::begun;
    constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[length] || code > 0x10ffff || surrogate ? Utf8::invalid : Utf8::whole;
}

}  // namespace

Tokenizer::Tokenizer(std::string path, const std::string& model_proto)
    : path_(std::move(path)),
      processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
    try {
        check(processor_->LoadFromSerializedProto(model_proto),
              path_ + ": tokenizer: not a sound SentencePiece model");
    } catch (const Error&) {
        throw;
    } catch (const std::exception& error) {  // Darts, inside SentencePiece, throws
        throw Error(path_ +
                    ": tokenizer: not a sound SentencePiece model: " + printable(error.what()));
    }
    for (int id = 0; id < processor_->GetPieceSize(); ++id) tokens_.push_back(make_token(id));
    model_vocab_size_ = vocab_size();
    if (processor_->bos_id() < 0 || processor_->eos_id() < 0)
        throw Error(path_ + ": tokenizer: has no BOS or no EOS piece");
    bos_id_ = static_cast<TokenId>(processor_->bos_id());
    eos_id_ = static_cast<TokenId>(processor_->eos_id());

    std::vector<std::string> pieces;
    check(processor_->Encode("a", &pieces), path_);
    adds_space_prefix_ = !pieces.empty() && pieces.front().starts_with(space_symbol);
}

Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::from_file(const std::filesystem::path& tokenizer_model) {
    const MappedFile file(tokenizer_model);
    return {tokenizer_model.string(), std::string(file.text())};
}

Tokenizer Tokenizer::from_gguf(const GgufMetadata& metadata) {
    const auto flag = [&](const char* key, bool otherwise) {
        return metadata.find<bool>(key).value_or(otherwise);
    };
    const GgufVocabulary vocabulary = read_vocabulary(metadata);
    return {metadata.path(),
            to_model_proto(vocabulary, flag("tokenizer.ggml.add_space_prefix", true),
                           flag("tokenizer.ggml.remove_extra_whitespaces", false))};
}

Tokenizer::Token Tokenizer::make_token(int id) const {
    const std::string& piece = processor_->IdToPiece(id);
    if (processor_->IsControl(id)) return {};
    if (processor_->IsUnknown(id)) return {" \u2047 ", false, false};  // as SentencePiece shows it
    if (!processor_->IsByte(id))
        return {replace_all(piece, space_symbol, " "), false, piece.starts_with(space_symbol)};
    unsigned byte = 0;  // the piece is "<0x0A>"
    std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
    return {std::string(1, static_cast<char>(byte)), true, false};
}

std::vector<TokenId> Tokenizer::encode(std::string_view text) const {
    std::vector<int> ids;
    check(processor_->Encode(text, &ids), path_);
    return {ids.begin(), ids.end()};
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
    StreamDecoder decoder(*this);
    std::string text;
    for (const TokenId id : ids) text += decoder.push(id);
    return text + decoder.finish();
}

void Tokenizer::set_model_vocab_size(TokenId size) {
    if (size < vocab_size())
        throw Error(path_ + ": tokenizer: " + std::to_string(vocab_size()) +
                    " tokens, the model's vocab_size is " + std::to_string(size));
    model_vocab_size_ = size;
}

std::optional<TokenId> Tokenizer::find_piece(const std::string& piece) const {
    const int id = processor_->PieceToId(piece);
    if (processor_->IdToPiece(id) != piece) return std::nullopt;
    return static_cast<TokenId>(id);
}

std::string Tokenizer::piece(TokenId id) const {
    token(id);
    return id < vocab_size() ? processor_->IdToPiece(static_cast<int>(id)) : "";
}

Vocabulary Tokenizer::vocabulary() const {
    Vocabulary v;
    v.unknown_id = static_cast<TokenId>(processor_->unk_id());
    v.adds_space_prefix = adds_space_prefix_;
    for (TokenId id = 0; id < model_vocab_size_; ++id) {
        const int piece = static_cast<int>(id);
        const bool padding = id >= vocab_size();
        v.pieces.push_back(padding ? "[PAD" + std::to_string(id) + "]"
                                   : processor_->IdToPiece(piece));
        v.scores.push_back(padding ? -10000 : processor_->GetScore(piece));
        v.types.push_back(padding || processor_->IsUnused(piece) ? Vocabulary::unused
                          : processor_->IsUnknown(piece)         ? Vocabulary::unknown
                          : processor_->IsControl(piece)         ? Vocabulary::control
                          : processor_->IsByte(piece)            ? Vocabulary::byte
                                                                 : Vocabulary::normal);
    }
    return v;
}

const Tokenizer::Token& Tokenizer::token(TokenId id) const {
    static const Token padding;
    if (id >= model_vocab_size_)
        throw Error(path_ + ": token id " + std::to_string(id) + ", vocab_size is " +
                    std::to_string(model_vocab_size_));
    return id < tokens_.size() ? tokens_[id] : padding;
}

std::string StreamDecoder::push(TokenId id) {
    const Tokenizer::Token& token = tokenizer_->token(id);
    if (token.text.empty()) return "";
    const bool strip = at_beginning_ && token.has_prefix && tokenizer_->adds_space_prefix_;
    at_beginning_ = false;
    if (token.is_byte) {
        bytes_ += token.text;
        return take_bytes(true);
    }
    return take_bytes(false) + token.text.substr(strip ? 1 : 0);
}

std::string StreamDecoder::finish() {
    at_beginning_ = true;
    return take_bytes(false);
}

std::string StreamDecoder::take_bytes(bool more_may_follow) {
    std::string text;
    std::string_view rest = bytes_;
    while (!rest.empty()) {
        const std::size_t length = utf8_length(static_cast<unsigned char>(rest[0]));
        const Utf8 state = length == 0   ? Utf8::invalid
                           : length == 1 ? Utf8::whole
                                         : utf8_state(rest, length);
        if (state == Utf8::begun && more_may_follow) break;
        const bool whole = state == Utf8::whole;
        text += whole ? rest.substr(0, length) : replacement;
        rest.remove_prefix(whole ? length : 1);
    }
    bytes_ = std::string(rest);
    return text;
}

}  // namespace assay
