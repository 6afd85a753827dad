// Models whose tokenizers differ: one vocabulary, embeddings brought to it.
#include <gtest/gtest.h>

#include <map>

#include "model/formats/safetensors_writer.h"
#include "model/merge/arithmetic.h"
#include "tests/model/merge/cases.h"
#include "tests/support/golden.h"

namespace assay::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t columns = 2;

struct Added {
    std::string content;
    std::uint32_t id;
    bool special = true;
};

class SharedVocabularyTest : public testing::Test {
protected:
    // A model whose row of token i is {first + i, -(first + i)} in both matrices, f32.
    void write(const std::string& name, const std::vector<std::string>& pieces,
               const std::vector<Added>& added, float first, std::uint32_t padding = 0) const {
        const fs::path to = folder_.path() / name;
        fs::remove_all(to);
        fs::create_directories(to);
        const auto rows = static_cast<std::uint32_t>(pieces.size() + added.size()) + padding;
        std::ofstream(to / "config.json") << Json{{"architectures", {"MistralForCausalLM"}},
                                                  {"num_hidden_layers", 0},
                                                  {"vocab_size", rows}};
        Json tokenizer{{"model", {{"type", "BPE"}, {"vocab", Json::object()}}},
                       {"added_tokens", Json::array()}};
        for (std::size_t i = 0; i < pieces.size(); ++i) tokenizer["model"]["vocab"][pieces[i]] = i;
        for (const auto& [content, id, special] : added)
            tokenizer["added_tokens"].push_back(
                {{"id", id}, {"content", content}, {"special", special}});
        std::ofstream(to / "tokenizer.json") << tokenizer;
        std::ofstream(to / "tokenizer_config.json")
            << Json{{"added_tokens_decoder", {{"0", {{"content", "<s>"}}}}}, {"of", name}};
        SafetensorsWriter writer(to, std::uint64_t{1} << 40);
        for (const char* tensor : {"model.embed_tokens.weight", "lm_head.weight"})
            writer.add(tensor, Format::f32, {rows, columns});
        writer.add("model.norm.weight", Format::f32, {columns});
        writer.write_headers();
        std::vector<float> values;
        for (std::uint32_t i = 0; i < rows; ++i)
            for (const float sign : {1.0f, -1.0f})
                values.push_back(sign * (first + static_cast<float>(i)));
        for (std::size_t i = 0; i < 2; ++i) writer.write(i, 0, std::as_bytes(std::span(values)));
        writer.write(2, 0, std::as_bytes(std::span(values).first(columns)));
        writer.finish();
    }

    std::string config(const std::string& more) const {
        std::string text = "models:\n";
        for (const char* name : {"one", "two", "three"})
            if (fs::exists(folder_.path() / name))
                text += "  - {model: " + (folder_.path() / name).string() +
                        ", parameters: {weight: 1}}\n";
        return text + more;
    }

    // The first column of the merged embedding, whose second is its negative; the head is the same.
    std::vector<float> merge(const std::string& more) const {
        MergeOptions options;
        options.hash_inputs = false;
        fs::remove_all(out());
        merge_models(parse_merge_config("config", config(more)), out(), options);
        const auto tensors = tensors_of(out());
        const std::string& bytes = tensors.at("model.embed_tokens.weight");
        EXPECT_EQ(tensors.at("lm_head.weight"), bytes);
        std::vector<float> values(bytes.size() / sizeof(float)), first;
        std::memcpy(values.data(), bytes.data(), bytes.size());
        for (std::size_t i = 0; i < values.size(); i += 2) {
            first.push_back(values[i]);
            EXPECT_EQ(values[i + 1], -values[i]);
        }
        EXPECT_EQ(read_json(out() / "config.json")["vocab_size"], first.size());
        return first;
    }

    fs::path out() const { return folder_.path() / "out"; }

    TemporaryFolder folder_;
};

// one: <s> a b; two: <s> b c, and <x> added; three: <s> a c, and <y> added.
class Union : public SharedVocabularyTest {
protected:
    Union() {
        write("one", {"<s>", "a", "b"}, {}, 10, 3);
        write("two", {"<s>", "b", "c"}, {{"<x>", 3}}, 20);
        write("three", {"<s>", "a", "c"}, {{"<y>", 3, false}}, 40);
    }
};

TEST_F(Union, HasEveryTokenOfAllModels) {
    // Of a token that one lacks: the mean of two and three, or the only one's row.
    const std::vector<float> mean{
        (10 + 20 + 40) / 3.0f,                // <s>
        (11 + (11 + 41) / 2.0f + 41) / 3.0f,  // a, which two lacks
        (12 + 21 + (12 + 21) / 2.0f) / 3.0f,  // b, which three lacks
        ((22 + 42) / 2.0f + 22 + 42) / 3.0f,  // c, which one lacks
        23,
        43,  // <x>, <y>
    };
    EXPECT_EQ(merge("merge_method: linear\ntokenizer_source: union\n"), mean);
    const Json tokenizer = read_json(out() / "tokenizer.json");
    EXPECT_EQ(tokenizer["model"]["vocab"], (Json{{"<s>", 0}, {"a", 1}, {"b", 2}}));
    const Json& added = tokenizer["added_tokens"];
    ASSERT_EQ(added.size(), 3);
    EXPECT_EQ(added[0], (Json{{"id", 3},
                              {"content", "c"},
                              {"single_word", false},
                              {"lstrip", false},
                              {"rstrip", false},
                              {"normalized", true},
                              {"special", false}}));
    EXPECT_EQ(added[1], (Json{{"id", 4}, {"content", "<x>"}, {"special", true}}));
    EXPECT_EQ(added[2], (Json{{"id", 5}, {"content", "<y>"}, {"special", false}}));
    const Json settings = read_json(out() / "tokenizer_config.json");
    EXPECT_EQ(settings["of"], "one");
    EXPECT_EQ(settings["added_tokens_decoder"]["0"]["content"], "<s>");
    EXPECT_EQ(settings["added_tokens_decoder"]["4"], (Json{{"content", "<x>"}, {"special", true}}));
    const Json provenance = read_json(out() / "assay_merge.json");
    EXPECT_EQ(provenance["tokenizer_of"], "union");
    EXPECT_EQ(provenance["configuration_of"], (folder_.path() / "one").string());
}

// The base's row stands for what a model lacks, so that its difference is 0.
TEST_F(Union, TakesTheBasesRowsFirst) {
    const std::string base = "base_model: " + (folder_.path() / "two").string() +
                             "\nmerge_method: task_arithmetic\ntokenizer_source: union\n";
    // The base's tokens first: <s> b c, <x> is added there; then a and <y>.
    const std::vector<float> sums{
        20 + (10 - 20.f) + (40 - 20.f),               // <s>
        21 + (12 - 21.f),                             // b: three has the base's
        22 + (42 - 22.f),                             // c: one has the base's
        23,                                           // <x>
        (11 + 41) / 2.f + (11 - 26.f) + (41 - 26.f),  // a, which the base lacks: the mean
        43,                                           // <y>
    };
    EXPECT_EQ(merge(base), sums);
}

TEST_F(Union, TakesOneModelsTokensAlone) {
    const std::string named = "merge_method: linear\ntokenizer_source: ";
    for (const char* name : {"one", "three"})
        folder_.write(std::string(name) + "/generation_config.json", name);
    const std::vector<float> three{(10 + 20 + 40) / 3.0f, (11 + (11 + 41) / 2.0f + 41) / 3.0f,
                                   ((22 + 42) / 2.0f + 22 + 42) / 3.0f, 43};
    EXPECT_EQ(merge(named + (folder_.path() / "three").string() + "\n"), three);
    EXPECT_EQ(read_json(out() / "tokenizer_config.json")["of"], "three");
    EXPECT_EQ(read_file(out() / "generation_config.json"), "one");
    EXPECT_EQ(read_json(out() / "assay_merge.json")["tokenizer_of"],
              (folder_.path() / "three").string());
    EXPECT_EQ(merge(named + "base\n").size(), 3);  // of the first model, without its padding
    expect_error([&] { merge(named + "four\n"); }, {"tokenizer_source: four", "union"});
}

TEST_F(Union, NamesWhatIsWrong) {
    const std::string text = "merge_method: linear\ntokenizer_source: union\n";
    write("three", {"<s>", "a"}, {{"<z>", 99}}, 40);
    expect_error([&] { merge(text); }, {"three/tokenizer.json: token <z>: id 99", "3 rows"});
    fs::remove(folder_.path() / "three/tokenizer.json");
    expect_error([&] { merge(text); }, {"three: has no tokenizer.json"});
    folder_.write("three/tokenizer.json", R"({"model": {"vocab": ["a"]}})");
    expect_error([&] { merge(text); }, {"three/tokenizer.json: model.vocab"});
    EXPECT_FALSE(fs::exists(out()));
}

TEST_F(SharedVocabularyTest, LeavesModelsWithOneTokenizerAsTheyAre) {
    write("one", {"<s>", "a"}, {}, 10, 2);
    write("two", {"<s>", "a"}, {}, 20, 2);
    for (const char* source : {"union", "base"})
        EXPECT_EQ(merge(std::string("merge_method: linear\ntokenizer_source: ") + source + "\n"),
                  (std::vector<float>{15, 16, 17, 18}));
}

}  // namespace
}  // namespace assay::test
