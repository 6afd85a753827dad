#include "grader/statistics/correlation.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <vector>

#include "model/engine/random.h"
#include "runtime/error.h"
#include "tests/grader/statistics/goldens.h"

namespace assay {
namespace {

// Whole numbers below `most`, so that there are ties.
std::vector<double> random_values(std::uint32_t seed, std::size_t n, std::uint32_t most) {
    std::vector<double> values;
    for (std::uint32_t i = 0; i < n; ++i) values.push_back(philox({i, seed, 0, 0}, {})[0] % most);
    return values;
}

TEST(Correlation, IsWhatSciPyComputes) {
    for (const auto& golden : test::goldens("correlations")) {
        const auto x = golden.at("x").get<std::vector<double>>();
        const auto y = golden.at("y").get<std::vector<double>>();
        test::expect_golden(pearson(x, y), golden, "pearson");
        test::expect_golden(spearman(x, y), golden, "spearman");
        test::expect_golden(kendall_tau_b(x, y), golden, "kendall_tau_b");
        test::expect_golden(kendall_tau_c(x, y), golden, "kendall_tau_c");
        EXPECT_EQ(ranks(x), golden.at("ranks_of_x").get<std::vector<double>>());
        const Correlations all = correlations(x, y);
        EXPECT_EQ(all.pearson, pearson(x, y));
        EXPECT_EQ(all.spearman, spearman(x, y));
        EXPECT_EQ(all.kendall_tau_b, kendall_tau_b(x, y));
        EXPECT_EQ(all.kendall_tau_c, kendall_tau_c(x, y));
    }
}

TEST(Correlation, IsTheSameAtAnySize) {
    const std::vector<double> x{1, 2, 4, 3}, y{2, 1, 3, 5};
    for (const double size : {0x1p600, 0x1p-600}) {
        auto large = x;
        for (double& value : large) value *= size;
        EXPECT_EQ(pearson(large, y), pearson(x, y)) << size;
        EXPECT_EQ(pearson(y, large), pearson(y, x)) << size;
    }
}

TEST(Correlation, IsNotDefinedWithoutVariation) {
    const std::vector<double> none, one{1}, same{2, 2, 2}, three{1, 2, 3};
    for (const auto statistic : {pearson, spearman, kendall_tau_b, kendall_tau_c}) {
        EXPECT_EQ(statistic(none, none), std::nullopt);
        EXPECT_EQ(statistic(one, one), std::nullopt);
        EXPECT_EQ(statistic(same, three), std::nullopt);
        EXPECT_EQ(statistic(three, same), std::nullopt);
    }
    EXPECT_EQ(correlations(same, three).pearson, std::nullopt);
}

TEST(Correlation, RejectsWhatIsNoPairOfColumns) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> two{1, 2}, three{1, 2, 3}, wrong{1, nan};
    for (const auto statistic : {pearson, spearman, kendall_tau_b, kendall_tau_c}) {
        EXPECT_THROW(statistic(two, three), Error);
        EXPECT_THROW(statistic(two, wrong), Error);
        EXPECT_THROW(statistic(wrong, two), Error);
    }
}

TEST(Correlation, KendallCountsEveryPair) {
    for (const std::uint32_t most : {2u, 5u, 1000u}) {
        const auto x = random_values(1, 157, most), y = random_values(2, 157, 7);
        double balance = 0, untied_x = 0, untied_y = 0;
        const auto sign = [](double a, double b) { return static_cast<double>((a > b) - (a < b)); };
        for (std::size_t i = 0; i < x.size(); ++i)
            for (std::size_t j = 0; j < i; ++j) {
                balance += sign(x[i], x[j]) * sign(y[i], y[j]);
                untied_x += x[i] != x[j];
                untied_y += y[i] != y[j];
            }
        EXPECT_NEAR(*kendall_tau_b(x, y), balance / std::sqrt(untied_x * untied_y), 1e-15);
    }
}

TEST(Correlation, KendallOfManyIsFast) {
    const auto x = random_values(1, 100'000, 1u << 31), y = random_values(2, 100'000, 5);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_LT(std::fabs(*kendall_tau_b(x, y)), 0.01);
    // 50 ms; comparing all pairs would take a minute.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
}  // namespace assay
