#include "grader/statistics/agreement.h"

#include <gtest/gtest.h>

#include <limits>

#include "runtime/error.h"
#include "tests/grader/statistics/goldens.h"

namespace assay {
namespace {

using Column = std::vector<double>;
using Units = std::vector<Column>;

TEST(Agreement, IsWhatTheFormulasSay) {
    for (const auto& golden : test::goldens("agreement")) {
        const auto a = golden.at("a").get<Column>(), b = golden.at("b").get<Column>();
        test::expect_golden(accuracy(a, b), golden, "accuracy");
        test::expect_golden(mean_absolute_error(a, b), golden, "mean_absolute_error");
        test::expect_golden(cohen_kappa(a, b), golden, "cohen_kappa");
        test::expect_golden(weighted_kappa(a, b, KappaWeights::linear), golden, "linear");
        test::expect_golden(weighted_kappa(a, b, KappaWeights::quadratic), golden, "quadratic");
    }
}

// As with columns of measurements, or of thousands of different words.
TEST(Agreement, KappaTakesAsLongAsSorting) {
    Column a, b;
    for (int i = 0; i < 200'000; ++i) {
        a.push_back(i + 1e6);
        b.push_back(i % 2 == 0 ? i + 1e6 : -i);
    }
    // Half of them are equal, and of n x n pairs no more than n.
    EXPECT_NEAR(*cohen_kappa(a, b), 0.5, 1e-5);
    EXPECT_TRUE(weighted_kappa(a, b, KappaWeights::linear));
    EXPECT_TRUE(weighted_kappa(a, b, KappaWeights::quadratic));
}

TEST(Agreement, AlphaIsKrippendorffs) {
    for (const auto& golden : test::goldens("alpha")) {
        const auto units = golden.at("units").get<Units>();
        test::expect_golden(krippendorff_alpha(units, Level::nominal), golden, "nominal");
        test::expect_golden(krippendorff_alpha(units, Level::ordinal), golden, "ordinal");
        test::expect_golden(krippendorff_alpha(units, Level::interval), golden, "interval");
    }
    // As published in 2011.
    const auto published = test::goldens("alpha")[0].at("units").get<Units>();
    EXPECT_NEAR(*krippendorff_alpha(published, Level::nominal), 0.743, 5e-4);
    EXPECT_NEAR(*krippendorff_alpha(published, Level::ordinal), 0.815, 5e-4);
    EXPECT_NEAR(*krippendorff_alpha(published, Level::interval), 0.849, 5e-4);
}

TEST(Agreement, IsNotDefinedWhereChanceAlwaysAgrees) {
    const Column none, same{3, 3};
    EXPECT_EQ(accuracy(none, none), std::nullopt);
    EXPECT_EQ(mean_absolute_error(none, none), std::nullopt);
    EXPECT_EQ(cohen_kappa(none, none), std::nullopt);
    EXPECT_EQ(cohen_kappa(same, same), std::nullopt);
    EXPECT_EQ(accuracy(same, same), 1);
    for (const Units& units : {Units{}, Units{{1}, {2}}, Units{{1, 1}, {1, 1, 1}}})
        EXPECT_EQ(krippendorff_alpha(units, Level::ordinal), std::nullopt);
}

TEST(Agreement, RejectsWhatIsNoRating) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Column two{1, 2}, wrong{1, nan}, three{1, 2, 3};
    EXPECT_THROW(accuracy(two, three), Error);
    EXPECT_THROW(cohen_kappa(wrong, two), Error);
    EXPECT_THROW(mean_absolute_error(two, wrong), Error);
    EXPECT_THROW(confusion(two, wrong), Error);
    EXPECT_THROW(krippendorff_alpha(Units{wrong}, Level::nominal), Error);
}

TEST(Agreement, ConfusionCountsPairs) {
    const Confusion table = confusion(Column{1, 1, 5, 2}, Column{1, 3, 5, 3});
    EXPECT_EQ(table.ratings, (Column{1, 2, 3, 5}));
    EXPECT_EQ(table.at(0, 0), 1u);
    EXPECT_EQ(table.at(0, 2), 1u);
    EXPECT_EQ(table.at(1, 2), 1u);
    EXPECT_EQ(table.at(3, 3), 1u);
    EXPECT_EQ(table.at(2, 0), 0u);
}

}  // namespace
}  // namespace assay
