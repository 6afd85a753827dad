// Files above 4 GiB and tensors above 128 MiB, the least that a device must bind at once. Sparse
// files keep them cheap.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>

#include "tests/model/test_files.h"
#include "tests/reference/forward.h"
#include "tests/support/devices.h"
#include "tests/support/loaded_model.h"
#include "tests/support/tiny_model.h"

namespace assay {
namespace {

using test::bytes_of;

constexpr std::uint64_t hole_rows = 1'050'000, hole_columns = 1024;
constexpr std::uint64_t hole_bytes = hole_rows * hole_columns * sizeof(float);
static_assert(hole_bytes > 1ull << 32);

// `head`, nothing for `hole` bytes, `tail`. False if the file system stores the hole.
bool write_sparse(const std::filesystem::path& path, std::string_view head, std::uint64_t hole,
                  std::string_view tail) {
    {
        const test::TemporaryFolder probe;  // 1 MiB, before 4 GiB are tried
        const auto file = probe.write("probe", "");
        std::filesystem::resize_file(file, 1 << 20);
        struct stat status {};
        if (::stat(file.c_str(), &status) != 0 || status.st_blocks > 64) return false;
    }
    std::ofstream file(path, std::ios::binary);
    file << head;
    file.seekp(static_cast<std::streamoff>(head.size() + hole));
    file << tail;
    return static_cast<bool>(file.flush());
}

void expect_right_logits(const test::TinyModel& model, const std::filesystem::path& path,
                         const std::vector<TokenId>& tokens) {
    test::LoadedModel loaded(test::device(), path, {.kv = Cache::f32, .context = 64});
    const auto logits = loaded.logits(tokens);
    const auto expected = reference::forward(model, tokens);
    ASSERT_EQ(logits.size(), expected.size());
    double worst = 0, greatest = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const double error = std::fabs(logits[i] - expected[i]);
        if (!(error <= worst)) worst = error;
        greatest = std::max(greatest, std::fabs(expected[i]));
    }
    EXPECT_LE(worst, 1e-4);  // as for a tiny model of the usual size
    EXPECT_GT(greatest, 1);
}

constexpr const char* no_holes = "the file system of the temporary folder stores holes";

TEST(LargeFile, GgufWeightsBeyond4GiB) {
    const test::TinyModel model = test::make_tiny_model();
    test::GgufBuilder file = gguf_of(model);
    for (auto& tensor : file.tensors) tensor.offset += hole_bytes;
    file.tensors.insert(file.tensors.begin(), {"unneeded", {hole_columns, hole_rows}, 0, 0});
    const std::string bytes = file.bytes();
    const test::TemporaryFolder folder;
    const auto path = folder.path() / "model.gguf";
    const auto head = std::string_view(bytes).substr(0, bytes.size() - file.data.size());
    if (!write_sparse(path, head, hole_bytes, file.data)) GTEST_SKIP() << no_holes;
    expect_right_logits(model, path, {1, 200, 299, 5});
}

TEST(LargeFile, SafetensorsWeightsBeyond4GiB) {
    const test::TinyModel model = test::make_tiny_model();
    const test::TemporaryFolder folder;
    write_checkpoint(model, folder.path());
    const auto path = folder.path() / "model.safetensors";
    const std::string plain = test::read_file(path);
    std::uint64_t length = 0;
    std::memcpy(&length, plain.data(), sizeof length);
    auto header = nlohmann::json::parse(plain.substr(sizeof length, length));
    for (auto& [name, tensor] : header.items())
        for (auto& offset : tensor.at("data_offsets"))
            offset = offset.get<std::uint64_t>() + hole_bytes;
    header["unneeded"] = {
        {"dtype", "F32"}, {"shape", {hole_rows, hole_columns}}, {"data_offsets", {0, hole_bytes}}};
    const std::string text = header.dump();
    if (!write_sparse(path, bytes_of(std::uint64_t{text.size()}) + text, hole_bytes,
                      std::string_view(plain).substr(sizeof length + length)))
        GTEST_SKIP() << no_holes;
    expect_right_logits(model, folder.path(), {1, 200, 299, 5});
}

// Only the last 300 tokens have embeddings, which lie beyond the first 128 MiB.
TEST(LargeFile, TensorsAbove128MiB) {
    constexpr std::uint32_t vocabulary = 540'000, known = 300;
    test::TinyModel model = test::make_tiny_model({{"tie_word_embeddings", true}});
    auto& embedding = model.weights.at("model.embed_tokens.weight");
    static_assert((vocabulary - known) * 64ull * sizeof(float) > 128ull << 20);
    embedding.insert(embedding.begin(), (vocabulary - known) * 64ull, 0.0f);
    model.config["vocab_size"] = vocabulary;
    const std::vector<TokenId> tokens{vocabulary - known, vocabulary - 1, vocabulary - 7};

    const test::TemporaryFolder folder;
    write_checkpoint(model, folder.path());
    expect_right_logits(model, folder.path(), tokens);
    const auto gguf = folder.write("model.gguf", gguf_of(model).bytes());
    expect_right_logits(model, gguf, tokens);
}

}  // namespace
}  // namespace assay
