// A whole model in each weight format against the double-precision forward pass on the decoded
// weights: what a format's kernels add to the exact answer.
#include <gtest/gtest.h>

#include "model/formats/dequantise.h"
#include "tests/model/test_files.h"
#include "tests/reference/forward.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/loaded_model.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

// The tiny model with every matrix replaced by random blocks of a format.
std::string file_in(Format format, const test::TinyModel& model) {
    const test::GgufBuilder plain = test::gguf_of(model);
    test::GgufBuilder file = plain;
    file.tensors.clear();
    file.data.clear();
    test::Random random(21);
    for (std::size_t i = 0; i < plain.tensors.size(); ++i) {
        const auto& tensor = plain.tensors[i];
        if (tensor.dimensions.size() == 1) {
            file.add_tensor(tensor.name, tensor.dimensions, tensor.type,
                            plain.data.substr(tensor.offset, tensor.dimensions[0] * sizeof(float)));
            continue;
        }
        const auto weight =
            test::random_weight(format, static_cast<std::uint32_t>(tensor.dimensions[1]),
                                static_cast<std::uint32_t>(tensor.dimensions[0]), random);
        file.add_tensor(tensor.name, tensor.dimensions, info(format).ggml_type,
                        {reinterpret_cast<const char*>(weight.bytes.data()), weight.bytes.size()});
    }
    return file.bytes();
}

// What the checkpoint holds, decoded, with the rows of q and k in Hugging Face's order.
test::TinyModel decoded(const Checkpoint& checkpoint, const test::TinyModel& like) {
    test::TinyModel model{like.config, {}};
    for (const FileTensor& tensor : checkpoint.tensors()) {
        std::vector<float> stored(tensor.rows() * tensor.columns()), values;
        dequantise(tensor.format, tensor.data, stored);
        const bool permuted = tensor.name.find("q_proj") != std::string::npos ||
                              tensor.name.find("k_proj") != std::string::npos;
        for (std::uint32_t row = 0; row < tensor.rows(); ++row) {
            const std::size_t from =
                permuted ? unpermuted_row(row, checkpoint.config().head_dim) : row;
            const auto first =
                stored.begin() + static_cast<std::ptrdiff_t>(from * tensor.columns());
            values.insert(values.end(), first,
                          first + static_cast<std::ptrdiff_t>(tensor.columns()));
        }
        model.weights[tensor.name] = std::move(values);
    }
    return model;
}

double median_divergence(const test::TinyModel& exact, const std::filesystem::path& path,
                         std::span<const TokenId> tokens, Cache kv) {
    test::LoadedModel loaded(test::device(), path, {.kv = kv, .context = 64});
    const auto logits = loaded.logits(tokens);
    const auto expected = reference::forward(exact, tokens);
    const std::vector<float> rounded(expected.begin(), expected.end());
    std::vector<double> kl;
    const std::size_t vocabulary = logits.size() / tokens.size();
    for (std::size_t at = 0; at < logits.size(); at += vocabulary)
        kl.push_back(test::divergence(std::span(rounded).subspan(at, vocabulary),
                                      std::span(logits).subspan(at, vocabulary)));
    return test::median(kl);
}

class FormatForward : public testing::TestWithParam<Format> {};

// The bounds of data/oracle's goldens for f32 and f16 caches.
TEST_P(FormatForward, IsAsGoodAsExact) {
    const auto model =
        test::make_tiny_model({{"hidden_size", 256}, {"intermediate_size", 512}, {"head_dim", 64}});
    const test::TemporaryFolder folder;
    const auto path = folder.write("model.gguf", file_in(GetParam(), model));
    const auto exact = decoded(Checkpoint(path), model);
    const std::vector<TokenId> tokens{1, 17, 42, 99, 250, 3, 77, 299, 5, 8, 13, 21};
    const double f32 = median_divergence(exact, path, tokens, Cache::f32),
                 f16 = median_divergence(exact, path, tokens, Cache::f16);
    RecordProperty("median_kl_f32_e_minus_15", static_cast<int>(f32 * 1e15));
    EXPECT_LE(f32, 1e-9);
    EXPECT_LE(f16, 1e-5);
    EXPECT_GT(f16, 0);  // the logits do depend on the tokens before
}

INSTANTIATE_TEST_SUITE_P(All, FormatForward, testing::ValuesIn(test::all_formats()),
                         [](const auto& format) {
                             return std::string(assay::info(format.param).name);
                         });

}  // namespace
}  // namespace assay
