#include "grader/statistics/length.h"

#include <gtest/gtest.h>

#include "runtime/error.h"
#include "tests/grader/statistics/goldens.h"

namespace assay {
namespace {

using Column = std::vector<double>;

TEST(LengthControlled, IsTheRegressionsWinRateAtEqualLengths) {
    for (const auto& golden : test::goldens("length_controlled")) {
        const auto fit = length_controlled_win_rate(golden.at("preference").get<Column>(),
                                                    golden.at("difference").get<Column>());
        ASSERT_TRUE(fit);
        test::expect_golden(fit->win_rate, golden, "win_rate");
        test::expect_golden(fit->quality, golden, "quality");
        test::expect_golden(fit->length, golden, "length");
    }
}

TEST(LengthControlled, TakesLengthOutOfAWinRate) {
    // The longer answer wins four of five times, whoever wrote it; the model's is longer in most.
    Column preference, difference;
    for (int i = 0; i < 20; ++i) {
        const bool longer = i < 15, longer_wins = i % 5 != 0;
        preference.push_back(longer == longer_wins);
        difference.push_back(longer ? 100 : -100);
    }
    const auto fit = length_controlled_win_rate(preference, difference);
    ASSERT_TRUE(fit);
    EXPECT_NEAR(fit->win_rate, 0.5, 1e-12);
    EXPECT_GT(fit->length, 0);
}

// A fit with large coefficients is one all the same: lengths tell nearly all apart.
TEST(LengthControlled, FindsSteepFitsToo) {
    Column preference, difference;
    for (int i = 1; i <= 2000; ++i) {
        preference.insert(preference.end(), {1, 0});
        difference.insert(difference.end(), {double(i), -double(i)});
    }
    EXPECT_FALSE(length_controlled_win_rate(preference, difference));
    // Two next to the middle that went the other way.
    preference.insert(preference.end(), {0, 1});
    difference.insert(difference.end(), {1, -1});
    const auto fit = length_controlled_win_rate(preference, difference);
    ASSERT_TRUE(fit);
    // The likelihood is greatest where the sum of i / (1 + e^(u i)) is 1 / (1 + e^-u), u being the
    // coefficient times the smallest x, 1 / 1155: u = 1.027.
    EXPECT_NEAR(fit->length, 1.027 * 1155, 2);
    EXPECT_NEAR(fit->win_rate, 0.5, 1e-12);
}

// The same case gives the same, whoever is called the model.
TEST(LengthControlled, IsAlikeForBothSides) {
    const Column difference{10, -10, 20, 4};
    EXPECT_FALSE(length_controlled_win_rate(Column{0, 0, 0, 0}, difference));
    EXPECT_FALSE(length_controlled_win_rate(Column{1, 1, 1, 1}, difference));
    const auto one = length_controlled_win_rate(Column{1, 0, 0.5, 0}, difference),
               other = length_controlled_win_rate(Column{0, 1, 0.5, 1}, Column{-10, 10, -20, -4});
    ASSERT_TRUE(one && other);
    EXPECT_NEAR(one->win_rate, 1 - other->win_rate, 1e-12);
}

TEST(LengthControlled, IsNotDefinedWhereLengthTellsAll) {
    EXPECT_FALSE(length_controlled_win_rate(Column{1, 0, 1}, Column{10, -10, 20}));
    EXPECT_FALSE(length_controlled_win_rate(Column{1, 1, 1}, Column{10, -10, 20}));
    EXPECT_FALSE(length_controlled_win_rate(Column{1, 0}, Column{7, 7}));
    EXPECT_FALSE(length_controlled_win_rate(Column{}, Column{}));
    EXPECT_THROW(length_controlled_win_rate(Column{2}, Column{1}), Error);
    EXPECT_THROW(length_controlled_win_rate(Column{1}, Column{1, 2}), Error);
}

}  // namespace
}  // namespace assay
