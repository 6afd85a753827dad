#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

#include "bench/random_blocks.h"
#include "model/formats/dequantise.h"

namespace assay::test {
namespace {

void record_largest_error(double share) {
    static std::map<const testing::TestInfo*, double> largest;
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    if (share <= largest[test]) return;
    largest[test] = share;
    testing::Test::RecordProperty("largest_error", std::to_string(share));
}

}  // namespace

std::vector<std::uint32_t> bits(std::span<const float> values) {
    std::vector<std::uint32_t> all;
    for (float value : values) all.push_back(std::bit_cast<std::uint32_t>(value));
    return all;
}

void expect_close(std::span<const float> actual, const reference::Expected& expected,
                  double relative, const std::string& what) {
    ASSERT_EQ(actual.size(), expected.values.size()) << what;
    double worst = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        // Below the smallest normal number, devices may flush to zero.
        const double allowed = relative * expected.magnitudes[i] + 0x1p-126;
        const double error = std::fabs(actual[i] - expected.values[i]) / allowed;
        if (error <= worst) continue;
        at = i;
        if (std::isnan(error)) {
            worst = INFINITY;
            break;
        }
        worst = error;
    }
    record_largest_error(worst);
    EXPECT_LE(worst, 1) << what << ": element " << at << " is " << actual[at] << ", should be "
                        << expected.values[at] << " within " << relative * expected.magnitudes[at];
}

std::vector<float> FileWeight::values() const {
    std::vector<float> weights(std::size_t{out_dim} * in_dim);
    dequantise(format, bytes, weights);
    return weights;
}

std::span<const std::byte> FileWeight::rows(std::uint32_t first, std::uint32_t count) const {
    const std::uint64_t row = row_bytes(format, in_dim);
    return std::span(bytes).subspan(first * row, count * row);
}

std::vector<ops::MatmulPath> matmul_paths(bool with_matrices) {
    std::vector<ops::MatmulPath> paths;
    for (std::size_t i = 0; i < ops::matmul_path_names.size(); ++i) {
        const auto path = static_cast<ops::MatmulPath>(i);
        if (path == ops::MatmulPath::dot) continue;
        const Tier tier = path == ops::MatmulPath::coopmat2 ? Tier::coopmat2 : Tier::coopmat;
        if (!takes_halves(path) ||
            (with_matrices && device().has(tier) && bound_device().has(tier)))
            paths.push_back(path);
    }
    return paths;
}

bool takes_halves(ops::MatmulPath path) {
    return path == ops::MatmulPath::coopmat || path == ops::MatmulPath::coopmat2;
}

std::string name(ops::MatmulPath path) {
    return ops::matmul_path_names.at(static_cast<std::size_t>(path));
}

std::vector<Format> all_formats() {
    std::vector<Format> formats;
    for (std::uint16_t i = 0; i < axis_size<Format>; ++i) formats.push_back(static_cast<Format>(i));
    return formats;
}

FileWeight random_weight(Format format, std::uint32_t out_dim, std::uint32_t in_dim,
                         Random& random) {
    FileWeight weight{format, out_dim, in_dim,
                      std::vector<std::byte>(out_dim * row_bytes(format, in_dim))};
    bench::RandomBlocks(random.bits()).fill(format, 1 / std::sqrt(in_dim), weight.bytes);
    return weight;
}

Tensor upload_bytes(Stream& s, std::span<const std::byte> bytes) {
    std::vector<std::uint32_t> words((bytes.size() + 3) / 4);
    std::memcpy(words.data(), bytes.data(), bytes.size());
    return s.upload(std::span<const std::uint32_t>(words));
}

DeviceWeight::DeviceWeight(Stream& s, const FileWeight& file)
    : weight_{0, file.out_dim, file.in_dim, file.format} {
    buffer_ = Buffer(s.device(), weight_.bytes(), Memory::device, "weight");
    weight_.address = buffer_.address();
    ops::repack(s, upload_bytes(s, file.bytes), file.out_dim, 0, weight_);
}

}  // namespace assay::test
