#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "model/merge/arithmetic.h"
#include "model/merge/config.h"
#include "model/merge/masks.h"
#include "model/merge/merger.h"
#include "model/merge/sweep.h"
#include "model/merge/trim.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

TEST(MergeArithmetic, RoundsToNearestEven) {
    const RoundToBf16 round;
    EXPECT_EQ(round(1.0f), 1.0f);
    EXPECT_EQ(round(0x1.01p0f), 1.0f);       // half a step: to the even one below
    EXPECT_EQ(round(0x1.03p0f), 0x1.04p0f);  // and above
    EXPECT_EQ(round(0x1.0101p0f), 0x1.02p0f);
    EXPECT_EQ(round(0x1.ffp127f), INFINITY);
    EXPECT_TRUE(std::signbit(round(-0.0f)));
    EXPECT_TRUE(std::isnan(round(NAN)));
    EXPECT_EQ(rounded(Format::bf16, 0.3), 0.30078125f);
    EXPECT_EQ(rounded(Format::f16, 2049), 2048.0f);
}

TEST(MergeTrim, KeepsTheGreatestAndOfEqualOnesTheFirst) {
    std::mt19937 random(3);
    const std::uint64_t elements = 3 * block_elements + 77;
    std::vector<float> values(elements);
    for (float& value : values)
        value = static_cast<float>(static_cast<int>(random() % 41) - 20) / 7;
    std::vector<std::size_t> order(elements);
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        return std::abs(values[a]) > std::abs(values[b]);
    });
    for (const std::uint64_t kept : {std::uint64_t{1}, elements / 3, elements - 1, elements}) {
        SCOPED_TRACE(kept);
        std::vector<float> wanted(elements);
        for (std::size_t i = 0; i < kept; ++i) wanted[order[i]] = 1;
        const auto block = [&](std::uint64_t i) {
            return std::span(values).subspan(
                i * block_elements, std::min(block_elements, elements - i * block_elements));
        };
        const Trim trim(elements, kept, Format::f32, 2, [&](std::uint64_t i, std::span<float> to) {
            std::ranges::copy(block(i), to.begin());
        });
        std::vector<float> got(elements);
        for (std::uint64_t i = 0; i * block_elements < elements; ++i)
            trim.mask(i, block(i), std::span(got).subspan(i * block_elements, block(i).size()));
        EXPECT_EQ(got, wanted);
    }
}

// A mask is the same wherever its parts begin, and others differ from it.
TEST(MergeMasks, DependOnWhatTheyAreForAlone) {
    CounterMasks masks(5), others(6);
    const auto draw = [](CounterMasks& from, const char* tensor, std::size_t model) {
        std::vector<float> mask(10000);
        from.prepare(tensor, mask.size());
        for (std::size_t at = 0; at < mask.size(); at += 1250)
            from.draw(model, 0.3, at, std::span(mask).subspan(at, 1250));
        return mask;
    };
    const std::vector<float> mask = draw(masks, "a", 0);
    std::vector<float> whole(10000);
    masks.draw(0, 0.3, 0, whole);
    EXPECT_EQ(mask, whole);
    const double kept = std::accumulate(mask.begin(), mask.end(), 0.0) / 10000;
    EXPECT_NEAR(kept, 0.3, 5 * std::sqrt(0.3 * 0.7 / 10000));
    for (const auto& other : {draw(masks, "b", 0), draw(masks, "a", 1), draw(others, "a", 0)}) {
        double both = 0;  // independent: 0.3 of 0.3
        for (std::size_t i = 0; i < other.size(); ++i) both += double{mask[i] * other[i]} / 10000;
        EXPECT_NEAR(both, 0.09, 5 * std::sqrt(0.09 * 0.91 / 10000));
    }
}

// Of numpy.random.seed(1234).
TEST(MergeMasks, DrawAsNumpyDoes) {
    const std::vector<double> uniform{0.1915194503788923, 0.6221087710398319, 0.4377277390071145,
                                      0.7853585837137692, 0.7799758081188035, 0.2725926052826416};
    for (const double p : {0.1, 0.25, 0.5, 0.6, 0.9}) {
        SCOPED_TRACE(p);
        NumpyMasks masks(1234, {{0, "first", 2, p}, {0, "second", 4, p}});
        std::vector<float> mask(4);
        masks.prepare("second", 4);
        masks.draw(0, p, 0, mask);
        for (std::size_t i = 0; i < 4; ++i) {
            const double u = uniform[i + 2];
            EXPECT_EQ(mask[i], p <= 0.5 ? u > 1 - p : u <= p) << i;
        }
    }
}

TEST(MergeConfig, InterpolatesAndFilters) {
    const Setting setting{{{"mlp", {0.2, 0.6, 1}}, {"attn", {3}}}};
    EXPECT_DOUBLE_EQ(*setting.value("model.layers.0.mlp.up_proj", 0), 0.2);
    EXPECT_DOUBLE_EQ(*setting.value("model.layers.1.mlp.up_proj", 0.25), 0.4);
    EXPECT_DOUBLE_EQ(*setting.value("model.layers.9.mlp.up_proj", 1), 1);
    EXPECT_DOUBLE_EQ(*setting.value("self_attn.q_proj", 0.7), 3);
    EXPECT_FALSE(setting.value("model.norm.weight", 0));
}

std::string with(const std::string& line, const std::string& model = "m") {
    return "models:\n  - model: " + model + "\n    parameters: {weight: 1}\n  - model: n\n" + line;
}

TEST(MergeConfig, NamesLineAndKey) {
    const std::string linear = "merge_method: linear\n";
    const auto refuses = [](const std::string& text, std::vector<std::string> parts) {
        SCOPED_TRACE(text);
        expect_error([&] { parse_merge_config("c.yml", text); }, std::move(parts));
    };
    refuses("", {"c.yml", "no configuration"});
    refuses("a: 1\n---\nmodels: []\n", {"c.yml", "2 YAML documents"});
    refuses("- a", {"c.yml:1", "a list instead of keys"});
    refuses("a: [1", {"c.yml:", "not YAML"});
    refuses(with(""), {"merge_method: not given"});
    refuses(with(linear + "dtype: int8\n"), {"c.yml:6", "dtype: int8"});
    refuses(with(linear + "dtype: float32\ndtype: float16\n"),
            {"c.yml:7", "dtype: is there twice"});
    refuses(with(linear + "modules: {}\n"), {"c.yml:6", "modules: is not supported"});
    refuses(with(linear + "parameters: {weight: [1, two]}\n"), {"c.yml:6", "weight: two"});
    refuses(with(linear + "parameters: {weight: '1'}\n"), {"c.yml:6", "weight: 1 instead"});
    refuses(with(linear + "parameters: {weight: .nan}\n"), {"weight: .nan"});
    refuses(with(linear + "parameters: {weight: [{filter: a}]}\n"), {"without a value"});
    refuses(with(linear + "parameters: {density: 0.5}\n"), {"density: unknown key"});
    refuses(with(linear, "m+"), {"c.yml:2", "model+adapter"});
    refuses("models: [m]\n" + linear, {"c.yml:1", "m instead of a model"});
    refuses("models: []\n" + linear, {"models:", "instead of a list of models"});
    refuses("slices: [{sources: [{model: m, layer_range: [2, 1]}]}]\n" + linear, {"layer_range"});
    refuses("models: [{model: m, parameters: {normalize: true}}]\n" + linear,
            {"normalize: unknown"});
    refuses("models: [{model: m}]\nmerge_method: supermario\n", {"1 model, supermario"});
}

TEST(MergeConfig, ReadsAdapters) {
    const MergeConfig config = parse_merge_config("c.yml", with("merge_method: linear\n", "m+a"));
    EXPECT_EQ(config.slices.front().models.front().reference, (ModelReference{"m", "a"}));
}

TEST(MergeSweep, PutsValuesInPlaceOfNames) {
    const auto steps = sweep("w=0.3:0.7:0.2", "c.yml", "a: $w\nb: 1-$w\nc: $wide\n");
    ASSERT_EQ(steps.size(), 3);
    EXPECT_EQ(steps[0].name, "w-0.3");
    EXPECT_EQ(steps[0].text, "a: 0.3\nb: 0.7\nc: $wide\n");
    EXPECT_EQ(steps[1].text, "a: 0.5\nb: 0.5\nc: $wide\n");
    EXPECT_EQ(steps[2].text, "a: 0.7\nb: 0.3\nc: $wide\n");
    EXPECT_EQ(sweep("w=1:1:1", "c.yml", "$w")[0].text, "1");
    expect_error([] { sweep("v=0:1:0.1", "c.yml", "a: $w"); }, {"c.yml", "has no $v"});
    for (const char* range : {"", "w", "w=", "w=1", "w=1:2", "w=1:2:0", "w=2:1:1", "w=0:1:0.0001",
                              "=1:2:1", "w=1:2:1x", "w=a:2:1", "w w=1:2:1", "w=0:inf:1"})
        expect_error([&] { sweep(range, "c.yml", "$w"); }, {"NAME=FROM:TO:STEP"});
}

}  // namespace
}  // namespace assay::test
