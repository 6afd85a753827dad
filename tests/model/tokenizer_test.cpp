#include "model/tokenizer.h"

#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/model/gguf_builder.h"

namespace assay {
namespace {

using nlohmann::json;
using test::expect_error;
using test::GgufBuilder;

// One list of a JSON file of tests/data.
json load(std::string_view relative, const char* list) {
    return json::parse(test::read_file(test::data(relative))).at(list);
}

std::vector<TokenId> ids_of(const json& list) { return list.get<std::vector<TokenId>>(); }

Tokenizer from_gguf_file(const std::filesystem::path& path) {
    const MappedFile file(path);
    return Tokenizer::from_gguf(read_gguf(file).metadata);
}

// Goldens of the 32000-piece Mistral vocabulary, whose file is not part of the project.
class MistralTokenizer : public testing::Test {
protected:
    void SetUp() override {
        const char* path = std::getenv("ASSAY_MISTRAL_TOKENIZER");
        if (!path)
            GTEST_SKIP()
                << "ASSAY_MISTRAL_TOKENIZER does not say where Mistral's tokenizer.model is";
        tokenizer_.emplace(Tokenizer::from_file(path));
    }

    std::optional<Tokenizer> tokenizer_;
};

TEST_F(MistralTokenizer, EncodesAndDecodesAsTheReference) {
    EXPECT_EQ(tokenizer_->vocab_size(), 32000u);
    EXPECT_EQ(tokenizer_->bos_id(), 1u);
    EXPECT_EQ(tokenizer_->eos_id(), 2u);
    for (const json& item : load("tokenizer/encode.json", "items")) {
        const auto text = item["text"].get<std::string>();
        const auto ids = ids_of(item["ids"]);
        EXPECT_EQ(tokenizer_->encode(text), ids) << item["name"];
        EXPECT_EQ(tokenizer_->decode(ids), item["decoded"].get<std::string>()) << item["name"];
        std::string pieces, golden_pieces;
        for (const TokenId id : ids) pieces += tokenizer_->piece(id) + "|";
        for (const json& piece : item["pieces"]) golden_pieces += piece.get<std::string>() + "|";
        EXPECT_EQ(pieces, golden_pieces) << item["name"];
    }
}

TEST_F(MistralTokenizer, DecodesBrokenSequencesAsTheReference) {
    for (const json& item : load("tokenizer/decode.json", "items"))
        EXPECT_EQ(tokenizer_->decode(ids_of(item["ids"])), item["decoded"].get<std::string>())
            << item["name"];
}

TEST_F(MistralTokenizer, SegmentsOfADialogueMakeItsIds) {
    for (const json& item : load("tokenizer/chat.json", "items")) {
        std::vector<TokenId> ids{tokenizer_->bos_id()};
        bool first = true;
        for (const json& message : item["messages"]) {
            auto text = message["content"].get<std::string>();
            const bool user = message["role"] == "user";
            if (user && first && item["system"].is_string())
                text = item["system"].get<std::string>() + "\n\n" + text;
            first = false;
            const auto part = tokenizer_->encode(user ? "[INST] " + text + " [/INST]" : text);
            ids.insert(ids.end(), part.begin(), part.end());
            if (!user) ids.push_back(tokenizer_->eos_id());
        }
        EXPECT_EQ(ids, ids_of(item["ids"])) << item["rendered"];
    }
}

TEST(Tokenizer, FileAndGgufVocabularyGiveTheGoldenIds) {
    const json golden = load("gguf/a_mistral_gqa/golden.json", "tokenizer");
    ASSERT_EQ(golden.size(), 10u);
    const Tokenizer tokenizers[] = {
        Tokenizer::from_file(test::data("hf/a_mistral_gqa/model/tokenizer.model")),
        from_gguf_file(test::data("gguf/a_mistral_gqa/a_mistral_gqa.Q8_0.gguf"))};
    for (const Tokenizer& tokenizer : tokenizers) {
        EXPECT_EQ(tokenizer.vocab_size(), 512u);
        EXPECT_EQ(tokenizer.bos_id(), 1u);
        EXPECT_EQ(tokenizer.eos_id(), 2u);
        for (const json& item : golden) {
            const auto ids = ids_of(item["ids"]);
            EXPECT_EQ(tokenizer.encode(item["text"].get<std::string>()), ids) << item["text"];
            EXPECT_EQ(tokenizer.decode(ids), item["decoded"].get<std::string>()) << item["text"];
        }
    }
}

TEST(Tokenizer, DemoJudgeGivesTheIdsOfItsGoldens) {
    const Tokenizer tokenizer = from_gguf_file(test::data("demo-judge/tiny-judge-Q8_0.gguf"));
    const json items = load("demo-judge/golden.json", "items");
    ASSERT_EQ(items.size(), 18u);
    for (const json& item : items) {
        std::vector<TokenId> ids{tokenizer.bos_id()};
        const auto prompt = tokenizer.encode(item["prompt"].get<std::string>());
        ids.insert(ids.end(), prompt.begin(), prompt.end());
        EXPECT_EQ(ids, ids_of(item["prompt_ids"]));
        EXPECT_EQ(tokenizer.decode(ids_of(item["completion_ids"])),
                  item["text"].get<std::string>());
    }
    const auto result = tokenizer.find_piece("\u2581[RESULT]");
    ASSERT_TRUE(result);
    EXPECT_EQ(tokenizer.piece(*result), "\u2581[RESULT]");
    EXPECT_EQ(tokenizer.find_piece("no such piece"), std::nullopt);
}

TEST(Tokenizer, ControlTokensInTextStayText) {
    const Tokenizer tokenizer = from_gguf_file(test::data("demo-judge/tiny-judge-Q8_0.gguf"));
    const std::string text = "a </s> and <s> and <unk>";
    const auto ids = tokenizer.encode(text);
    for (const TokenId id : ids) EXPECT_GT(id, 2u);
    EXPECT_EQ(tokenizer.decode(ids), text);
}

TEST(Tokenizer, PaddingIdsDecodeToNothingAndOthersAreErrors) {
    Tokenizer tokenizer =
        Tokenizer::from_file(test::data("hf/a_mistral_gqa/model/tokenizer.model"));
    expect_error([&] { tokenizer.decode(std::vector<TokenId>{512}); },
                 {"tokenizer.model: token id 512, vocab_size is 512"});
    tokenizer.set_model_vocab_size(544);
    EXPECT_EQ(tokenizer.vocab_size(), 512u);
    EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{543}), "");
    EXPECT_EQ(tokenizer.piece(543), "");
    expect_error([&] { tokenizer.decode(std::vector<TokenId>{544}); }, {"544, vocab_size is 544"});
    expect_error([&] { tokenizer.set_model_vocab_size(500); }, {"512 tokens", "vocab_size is 500"});
}

// Byte token b has id b + 3 in this vocabulary.
TEST(StreamDecoder, HoldsBackBegunCharacters) {
    const Tokenizer tokenizer =
        Tokenizer::from_file(test::data("hf/a_mistral_gqa/model/tokenizer.model"));
    const auto byte = [](unsigned value) { return TokenId{value + 3}; };
    StreamDecoder decoder(tokenizer);
    EXPECT_EQ(decoder.push(byte(0xe2)), "");
    EXPECT_EQ(decoder.push(byte(0x82)), "");
    EXPECT_EQ(decoder.push(byte(0xac)), "\u20ac");
    EXPECT_EQ(decoder.push(byte(0xf0)), "");
    EXPECT_EQ(decoder.push(byte(0x9f)), "");
    EXPECT_EQ(decoder.push(byte(0x41)),
              "\ufffd\ufffd"
              "A");
    EXPECT_EQ(decoder.push(byte(0xe2)), "");
    EXPECT_EQ(decoder.push(*tokenizer.find_piece("\u2581the")), "\ufffd the");
    EXPECT_EQ(decoder.push(byte(0xc3)), "");
    EXPECT_EQ(decoder.finish(), "\ufffd");
    EXPECT_EQ(decoder.push(*tokenizer.find_piece("\u2581the")), "the");  // a new text
}

TEST(StreamDecoder, RefusesWhatIsNotUtf8) {
    const Tokenizer tokenizer =
        Tokenizer::from_file(test::data("hf/a_mistral_gqa/model/tokenizer.model"));
    for (const std::string_view bytes : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf5\x80",
                                         "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\x80", "\xff"}) {
        std::vector<TokenId> ids;
        std::string expected;
        for (const char c : bytes) {
            ids.push_back(static_cast<unsigned char>(c) + TokenId{3});
            expected += "\ufffd";
        }
        EXPECT_EQ(tokenizer.decode(ids), expected);
    }
}

// A vocabulary as a GGUF file holds it: three special tokens, all bytes, then some pieces.
struct Vocabulary {
    std::string model = "llama";
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    std::vector<float> scores{0, 0, 0};
    std::vector<std::int32_t> types{2, 3, 3};
    std::uint32_t bos = 1, eos = 2, unknown = 0;
    bool add_space_prefix = true;

    Vocabulary() {
        constexpr std::string_view digits = "0123456789ABCDEF";
        for (unsigned b = 0; b < 256; ++b)
            add({'<', '0', 'x', digits[b / 16], digits[b % 16], '>'}, 0, 6);
        for (const char* piece : {"\u2581", "a", "b", "ab",
                                  "\u2581"
                                  "ab"})
            add(piece, -static_cast<float>(tokens.size()), 1);
    }
    void add(const std::string& token, float score, std::int32_t type) {
        tokens.push_back(token);
        scores.push_back(score);
        types.push_back(type);
    }
    Tokenizer open() const {
        GgufBuilder file;
        file.add("tokenizer.ggml.model", model.c_str());
        file.add("tokenizer.ggml.tokens", tokens);
        file.add("tokenizer.ggml.scores", scores);
        file.add("tokenizer.ggml.token_type", types);
        file.add("tokenizer.ggml.bos_token_id", bos);
        file.add("tokenizer.ggml.eos_token_id", eos);
        file.add("tokenizer.ggml.unknown_token_id", unknown);
        file.add("tokenizer.ggml.add_space_prefix", add_space_prefix);
        const test::TemporaryFolder folder;
        return from_gguf_file(folder.write("vocabulary.gguf", file.bytes()));
    }
};

TEST(Tokenizer, SpacePrefixFollowsTheFile) {
    Vocabulary vocabulary;
    const TokenId ab = 262, space_ab = 263;
    EXPECT_EQ(vocabulary.open().encode("ab"), std::vector<TokenId>{space_ab});
    EXPECT_EQ(vocabulary.open().decode(std::vector<TokenId>{space_ab}), "ab");
    vocabulary.add_space_prefix = false;
    EXPECT_EQ(vocabulary.open().encode("ab"), std::vector<TokenId>{ab});
    EXPECT_EQ(vocabulary.open().decode(std::vector<TokenId>{space_ab}), " ab");
}

TEST(Tokenizer, BrokenVocabulariesAreNamed) {
    struct Corruption {
        const char* name;
        void (*corrupt)(Vocabulary&);
        std::vector<std::string> in_error;
    };
    const Corruption corruptions[] = {
        {"kind", [](Vocabulary& v) { v.model = "gpt2"; }, {"tokenizer.ggml.model: gpt2", "llama"}},
        {"scores", [](Vocabulary& v) { v.scores.pop_back(); }, {"264 tokens, 263 scores, 264"}},
        {"types", [](Vocabulary& v) { v.types.pop_back(); }, {"264 scores, 263 token types"}},
        {"bos", [](Vocabulary& v) { v.bos = 264; }, {"bos_token_id: 264, the vocabulary has 264"}},
        {"eos", [](Vocabulary& v) { v.eos = 1u << 31; }, {"eos_token_id: 2147483648"}},
        {"unknown", [](Vocabulary& v) { v.unknown = 999; }, {"unknown_token_id: 999"}},
        {"type 7", [](Vocabulary& v) { v.types[5] = 7; }, {"token 5 has type 7, allowed"}},
        {"type -1", [](Vocabulary& v) { v.types[5] = -1; }, {"token 5 has type -1, allowed"}},
        {"empty", [](Vocabulary& v) { v.tokens[5] = ""; }, {"tokens: token 5 is empty"}},
        {"twice",
         [](Vocabulary& v) { v.tokens[260] = "b"; },
         {"vocabulary.gguf: tokenizer: ", "b"}},
        {"score",
         [](Vocabulary& v) { v.scores[5] = std::numeric_limits<float>::quiet_NaN(); },
         {"scores: token 5 has no finite score"}},
        {"bytes", [](Vocabulary& v) { v.types[5] = 1; }, {"vocabulary.gguf: tokenizer: "}},
        {"not a byte", [](Vocabulary& v) { v.tokens[5] = "byte"; }, {"vocabulary.gguf: tokenizer"}},
        {"bos is text", [](Vocabulary& v) { v.bos = 260; }, {"vocabulary.gguf: tokenizer: has no"}},
        {"no tokens",
         [](Vocabulary& v) { v.tokens = {}, v.scores = {}, v.types = {}; },
         {"bos_token_id: 1, the vocabulary has 0"}},
    };
    for (const Corruption& corruption : corruptions) {
        SCOPED_TRACE(corruption.name);
        Vocabulary vocabulary;
        corruption.corrupt(vocabulary);
        expect_error([&] { vocabulary.open(); }, corruption.in_error);
    }
}

TEST(Tokenizer, BrokenFilesAreErrors) {
    const test::TemporaryFolder folder;
    const auto whole = test::read_file(test::data("hf/a_mistral_gqa/model/tokenizer.model"));
    for (const auto& content :
         {std::string(), std::string("hello"), whole.substr(0, 3000), std::string(1000, '\xff')})
        expect_error([&] { Tokenizer::from_file(folder.write("tokenizer.model", content)); },
                     {"tokenizer.model: tokenizer: "});
    expect_error([&] { Tokenizer::from_file(folder.path() / "absent"); }, {"absent: No such file"});
}

}  // namespace
}  // namespace assay
