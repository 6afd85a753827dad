#include "grader/statistics/intervals.h"

#include <gtest/gtest.h>

#include <vector>

namespace assay {
namespace {

TEST(Intervals, AreWilsonsAndTheNormalOnes) {
    // The interval of 8 of 10 as published tables have it.
    EXPECT_NEAR(wilson_interval(0.8, 10).low, 0.49016, 1e-5);
    EXPECT_NEAR(wilson_interval(0.8, 10).high, 0.94332, 1e-5);
    EXPECT_EQ(wilson_interval(0, 4).low, 0);
    EXPECT_EQ(wilson_interval(1, 4).high, 1);
    // 1, 2, 3: a standard deviation of 1, so 1.96 / sqrt(3) to each side.
    const auto interval = normal_interval(std::vector<double>{1, 2, 3});
    ASSERT_TRUE(interval);
    EXPECT_NEAR(interval->low, 2 - 1.131586, 1e-6);
    EXPECT_NEAR(interval->high, 2 + 1.131586, 1e-6);
    EXPECT_FALSE(normal_interval(std::vector<double>{4}));
}

}  // namespace
}  // namespace assay
