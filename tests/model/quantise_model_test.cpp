#include "model/quantise_model.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "model/formats/dequantise.h"
#include "model/formats/gguf.h"
#include "tests/model/test_files.h"
#include "tests/support/tiny_model.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::vector<float> floats(const FileTensor& tensor) {
    std::vector<float> values(tensor.rows() * tensor.columns());
    dequantise(tensor.format, tensor.data, values);
    return values;
}

QuantisedModel make(const fs::path& from, const fs::path& to, const std::string& type,
                    std::uint32_t threads = 2) {
    return quantise_model(Checkpoint(from), to, *find_mix(type), {.threads = threads});
}

std::size_t files_in(const fs::path& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// The F16 file was made by llama.cpp's converter from the same directory.
TEST(QuantiseModel, WritesADirectoryAsLlamaCppDoes) {
    const test::TemporaryFolder folder;
    const fs::path ours = folder.path() / "ours.gguf";
    make(test::data("hf/c_mixtral_4x_top2/model"), ours, "f16");
    const MappedFile our_file(ours),
        their_file(test::data("gguf/c_mixtral_4x_top2/c_mixtral_4x_top2.F16.gguf"));
    const Gguf made = read_gguf(our_file), expected = read_gguf(their_file);
    ASSERT_EQ(made.tensors.tensors.size(), expected.tensors.tensors.size());
    for (const FileTensor& tensor : expected.tensors.tensors) {
        const auto same = std::ranges::find(made.tensors.tensors, tensor.name, &FileTensor::name);
        ASSERT_NE(same, made.tensors.tensors.end()) << tensor.name;
        EXPECT_EQ(same->shape, tensor.shape) << tensor.name;
        EXPECT_TRUE(std::ranges::equal(same->data, tensor.data)) << tensor.name;
    }
}

TEST(QuantiseModel, SaysOfADirectoryWhatLlamaCppDoes) {
    const test::TemporaryFolder folder;
    const fs::path ours = folder.path() / "ours.gguf";
    make(test::data("hf/a_mistral_gqa/model"), ours, "q8_0");
    const MappedFile our_file(ours),
        their_file(test::data("gguf/a_mistral_gqa/a_mistral_gqa.Q8_0.gguf"));
    const Gguf made = read_gguf(our_file), expected = read_gguf(their_file);
    for (const auto& [key, type_and_value] : expected.metadata.pairs()) {
        const auto same = std::ranges::find(made.metadata.pairs(), key, &GgufMetadata::Pair::key);
        ASSERT_NE(same, made.metadata.pairs().end()) << key;
        if (key == "general.name") continue;  // the directory's
        EXPECT_EQ(same->type_and_value, type_and_value) << key;
    }
}

// Whatever the file's own names and forms, what is read from the quantised file is what was there.
TEST(QuantiseModel, KeepsEveryWeightInItsPlace) {
    const test::TemporaryFolder folder;
    for (const char* name : {"b_mistral_window16", "c_mixtral_4x_top2", "d_llama_mha"}) {
        const fs::path made = folder.path() / (std::string(name) + ".gguf");
        const Checkpoint before(test::data("hf/" + std::string(name) + "/model"));
        quantise_model(before, made, *find_mix("F32"), {.threads = 2});
        const Checkpoint after(made);
        for (const FileTensor& tensor : before.tensors()) {
            const auto was = floats(tensor), is = floats(after.tensor(tensor.name));
            const bool turns = tensor.name.find("q_proj") != std::string::npos ||
                               tensor.name.find("k_proj") != std::string::npos;
            const std::size_t columns = tensor.columns();
            for (std::uint32_t row = 0; row < tensor.rows(); ++row) {
                const std::size_t to = turns ? unpermuted_row(row, before.config().head_dim) : row;
                ASSERT_EQ(
                    std::memcmp(&was[row * columns], &is[to * columns], columns * sizeof(float)), 0)
                    << name << " " << tensor.name << " row " << row;
            }
        }
        EXPECT_EQ(after.config().sliding_window, before.config().sliding_window);
        EXPECT_EQ(after.config().rope_theta, before.config().rope_theta);
        EXPECT_EQ(after.config().num_local_experts, before.config().num_local_experts);
        EXPECT_EQ(after.config().num_experts_per_tok, before.config().num_experts_per_tok);
    }
}

TEST(QuantiseModel, CopiesTheMetadataOfAGgufFile) {
    const test::TemporaryFolder folder;
    const fs::path from = test::data("demo-judge/tiny-judge-Q8_0.gguf"),
                   to = folder.path() / "to.gguf";
    make(from, to, "q4_0");
    const MappedFile from_file(from), to_file(to);
    const Gguf before = read_gguf(from_file), after = read_gguf(to_file);
    EXPECT_EQ(after.metadata.get<std::uint64_t>("general.file_type"), 2u);
    EXPECT_EQ(after.metadata.get<std::uint64_t>("general.quantization_version"), 2u);
    EXPECT_EQ(after.metadata.size(), before.metadata.size());
    for (const auto& [key, type_and_value] : before.metadata.pairs()) {
        if (key == "general.file_type") continue;
        const auto same = std::ranges::find(after.metadata.pairs(), key, &GgufMetadata::Pair::key);
        ASSERT_NE(same, after.metadata.pairs().end()) << key;
        EXPECT_EQ(same->type_and_value, type_and_value) << key;
    }
}

TEST(QuantiseModel, KeepsTheVocabulary) {
    const test::TemporaryFolder folder;
    const fs::path from = test::data("hf/a_mistral_gqa/model"), to = folder.path() / "to.gguf";
    make(from, to, "q8_0");
    const Tokenizer before = Checkpoint(from).tokenizer(), after = Checkpoint(to).tokenizer();
    ASSERT_EQ(after.vocab_size(), before.model_vocab_size());
    EXPECT_EQ(after.bos_id(), before.bos_id());
    EXPECT_EQ(after.eos_id(), before.eos_id());
    for (const char* text : {"Hello world", "  two  spaces", "caf\xC3\xA9 \xE2\x82\xAC\n", "</s>"})
        EXPECT_EQ(after.encode(text), before.encode(text)) << text;
}

TEST(QuantiseModel, CopiesWhatIsInTheFormatAlready) {
    const test::TemporaryFolder folder;
    const fs::path from = test::data("demo-judge/tiny-judge-Q8_0.gguf"),
                   to = folder.path() / "to.gguf";
    make(from, to, "q8_0");
    const Checkpoint before(from), after(to);
    for (const FileTensor& tensor : before.tensors())
        EXPECT_TRUE(std::ranges::equal(after.tensor(tensor.name).data, tensor.data)) << tensor.name;
}

TEST(QuantiseModel, IsTheSameWithAnyNumberOfThreads) {
    const test::TemporaryFolder folder;
    for (const char* type : {"q4_0", "q6_k"}) {
        make(test::data("hf/a_mistral_gqa/model"), folder.path() / "one", type, 1);
        make(test::data("hf/a_mistral_gqa/model"), folder.path() / "five", type, 5);
        EXPECT_EQ(test::read_file(folder.path() / "one"), test::read_file(folder.path() / "five"));
    }
}

TEST(QuantiseModel, CountsWhatItMade) {
    const test::TemporaryFolder folder;
    const fs::path to = folder.path() / "to.gguf";
    std::uint64_t last = 0, all = 0;
    const Checkpoint from(test::data("hf/a_mistral_gqa/model"));
    const QuantisedModel made = quantise_model(from, to, *find_mix("q8_0"), {.threads = 3},
                                               [&](std::uint64_t done, std::uint64_t total) {
                                                   EXPECT_GT(done, last);
                                                   last = done;
                                                   all = total;
                                               });
    EXPECT_EQ(last, all);
    EXPECT_EQ(made.bytes_before, all);
    EXPECT_EQ(made.bytes, fs::file_size(to));
    EXPECT_EQ(made.tensors.at(Format::f32), 7u);
    EXPECT_EQ(made.tensors.at(Format::q8_0), 23u);
}

TEST(QuantiseModel, NamesAWeightThatIsNoNumber) {
    const test::TemporaryFolder folder;
    auto model = test::make_tiny_model();
    model.weights["model.layers.1.mlp.up_proj.weight"][64 * 3 + 5] = NAN;
    fs::create_directory(folder.path() / "model");
    test::write_checkpoint(model, folder.path() / "model");
    fs::create_directory(folder.path() / "out");
    test::expect_error([&] { make(folder.path() / "model", folder.path() / "out/to", "q8_0"); },
                       {"model.layers.1.mlp.up_proj.weight: row 3, column 5: nan"});
    EXPECT_EQ(files_in(folder.path() / "out"), 0u);
}

TEST(QuantiseModel, AFullDiskIsOneErrorAndLeavesNothing) {
    const test::TemporaryFolder folder;
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{.rlim_cur = 100000, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const std::string error = test::error_of(
        [&] { make(test::data("hf/a_mistral_gqa/model"), folder.path() / "to.gguf", "q8_0"); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_NE(error.find("to.gguf: cannot be written: File too large"), std::string::npos) << error;
    EXPECT_EQ(files_in(folder.path()), 0u);
    test::expect_error(
        [&] { make(test::data("hf/a_mistral_gqa/model"), folder.path() / "no/to.gguf", "q8_0"); },
        {"to.gguf: cannot be written: No such file or directory"});
}

}  // namespace
}  // namespace assay
