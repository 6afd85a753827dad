#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/formats/gguf.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace assay {

using TokenId = std::uint32_t;

// What GGUF files hold of a vocabulary: one entry per token id.
struct Vocabulary {
    enum Type : std::int32_t { normal = 1, unknown, control, user_defined, unused, byte };

    std::vector<std::string> pieces;
    std::vector<float> scores;
    std::vector<std::int32_t> types;
    TokenId unknown_id = 0;
    bool adds_space_prefix = true;
};

// A SentencePiece vocabulary. Const members may be called from several threads.
class Tokenizer {
public:
    // Throws Error naming the file and what is wrong with it.
    static Tokenizer from_file(const std::filesystem::path& tokenizer_model);
    // From the vocabulary in the metadata, which must be of the SentencePiece kind ("llama").
    static Tokenizer from_gguf(const GgufMetadata& metadata);

    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;
    Tokenizer(const Tokenizer&) = delete;
    Tokenizer& operator=(const Tokenizer&) = delete;
    ~Tokenizer();

    // No BOS. Text is never parsed for control tokens: a literal "</s>" stays text. Bytes that are
    // not UTF-8 are read as U+FFFD.
    std::vector<TokenId> encode(std::string_view text) const;

    // The text of the ids: control tokens have none, one space at its beginning is the prefix that
    // encode adds and is left out, a byte that completes no UTF-8 character becomes U+FFFD. Throws
    // Error for an id that is not below model_vocab_size().
    std::string decode(std::span<const TokenId> ids) const;

    TokenId bos_id() const { return bos_id_; }
    TokenId eos_id() const { return eos_id_; }
    TokenId vocab_size() const { return static_cast<TokenId>(tokens_.size()); }

    // Models may pad their embedding beyond the vocabulary; padding ids decode to nothing. Throws
    // Error if the vocabulary is the larger one, as its ids would have no embedding.
    TokenId model_vocab_size() const { return model_vocab_size_; }
    void set_model_vocab_size(TokenId size);

    // The id of exactly this piece, spelled with U+2581 for a space.
    std::optional<TokenId> find_piece(const std::string& piece) const;
    // The piece as the vocabulary spells it; "" for padding.
    std::string piece(TokenId id) const;

    // Everything, padded with unused pieces to model_vocab_size().
    Vocabulary vocabulary() const;

private:
    friend class StreamDecoder;

    struct Token {
        std::string text;         // spaces are spaces; the byte itself for a byte token
        bool is_byte = false;     // part of a character that other byte tokens may complete
        bool has_prefix = false;  // begins with a space that encode may have added
    };

    Tokenizer(std::string path, const std::string& model_proto);
    Token make_token(int id) const;
    const Token& token(TokenId id) const;  // checked

    std::string path_;  // of the file, for errors
    std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
    std::vector<Token> tokens_;
    TokenId bos_id_ = 1, eos_id_ = 2;
    TokenId model_vocab_size_ = 0;
    bool adds_space_prefix_ = false;
};

// Decodes a text while it is being generated: what push and finish return, put together, is what
// Tokenizer::decode gives. The tokenizer must outlive it.
class StreamDecoder {
public:
    explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

    // Text that this token makes certain; a character begun by byte tokens is held back.
    std::string push(TokenId id);
    // What is still held back; the next push begins a new text.
    std::string finish();

private:
    std::string take_bytes(bool more_may_follow);

    const Tokenizer* tokenizer_;
    std::string bytes_;  // of byte tokens, not yet a whole character
    bool at_beginning_ = true;
};

}  // namespace assay
