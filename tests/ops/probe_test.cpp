#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/devices.h"

namespace assay {
namespace {

// The device under test, of whose kernels some do nothing.
class Spoilt {
public:
    explicit Spoilt(std::string_view kernels)
        : table_(bound_kernels().begin(), bound_kernels().end()) {
        const auto nothing = std::ranges::find(bound_kernels(), "nothing", &Spirv::name)->words;
        for (Spirv& kernel : table_)
            if (kernel.name.starts_with(kernels)) kernel.words = nothing;
        DeviceOptions options;
        options.select = std::to_string(test::device().info().index);
        options.bound_kernels = table_;
        device_.emplace(options);
    }
    Device& device() { return *device_; }

private:
    std::vector<Spirv> table_;
    std::optional<Device> device_;
};

struct Case {
    Tier tier;
    std::string_view kernels;
    std::string_view wrong;  // what its probe says is
};
class Probe : public testing::TestWithParam<Case> {};

}  // namespace

TEST_P(Probe, TurnsOffATierThatIsWrong) {
    const auto& [tier, kernels, wrong] = GetParam();
    if (!test::device().info().tier(tier).on) GTEST_SKIP() << test::device().info().tier(tier).note;
    Spoilt spoilt(kernels);
    EXPECT_TRUE(spoilt.device().info().tier(tier).on);
    EXPECT_FALSE(spoilt.device().has(tier));
    const TierState& state = spoilt.device().info().tier(tier);
    EXPECT_FALSE(state.on);
    EXPECT_TRUE(state.note.starts_with("its probe failed: ")) << state.note;
    EXPECT_TRUE(state.note.ends_with(wrong)) << state.note;
    EXPECT_NE(state.note.find(" in place of "), std::string::npos) << state.note;
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, Probe,
    testing::Values(Case{Tier::coopmat, "coopmat.f16.", "in a product of 5 rows of f16"},
                    Case{Tier::coopmat, "attention_coopmat.f16", "in attention"},
                    Case{Tier::coopmat2, "coopmat2.f16.", "in a product of 5 rows of f16"},
                    Case{Tier::dot, "dot.q8_0.", "in a product of 5 rows of q8_0"},
                    Case{Tier::dot, "dot.q2_k.", "in a product of 5 rows of q2_k"},
                    Case{Tier::coopmat_s8, "dot_coopmat.q8_0.", "in a product of 5 rows of q8_0"},
                    Case{Tier::coopmat_s8, "dot_coopmat.q2_k.", "in a product of 5 rows of q2_k"}),
    [](const testing::TestParamInfo<Case>& c) {
        std::string name(c.param.kernels);
        std::erase(name, '.');
        return name;
    });

}  // namespace assay
