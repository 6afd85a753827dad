#include "runtime/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace assay {

TEST(Half, WidensEveryValue) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
        const double magnitude = exponent == 31  ? mantissa ? NAN : INFINITY
                                 : exponent == 0 ? std::ldexp(mantissa, -24)
                                                 : std::ldexp(mantissa + 1024, exponent - 25);
        const float value = half_to_float(static_cast<std::uint16_t>(bits));
        EXPECT_EQ(std::signbit(value), bits >> 15 == 1) << bits;
        if (std::isnan(magnitude))
            EXPECT_TRUE(std::isnan(value)) << bits;
        else
            EXPECT_EQ(std::fabs(value), magnitude) << bits;
    }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
    for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits),
                   next = static_cast<std::uint16_t>(bits + 1);
        const float value = half_to_float(half);
        // The greatest half is followed by infinity, from where 65536 would be.
        const float above = bits == 0x7bff ? 65536.0f : half_to_float(next),
                    tie = (value + above) / 2;
        EXPECT_EQ(float_to_half(value), half);
        EXPECT_EQ(float_to_half(-value), half | 0x8000);
        EXPECT_EQ(float_to_half(tie), bits % 2 == 0 ? half : next) << value;
        EXPECT_EQ(float_to_half(std::nextafter(tie, 0.0f)), half) << value;
        EXPECT_EQ(float_to_half(std::nextafter(tie, above)), next) << value;
    }
    EXPECT_EQ(float_to_half(std::numeric_limits<float>::max()), 0x7c00);
    EXPECT_EQ(float_to_half(-INFINITY), 0xfc00);
    EXPECT_TRUE(std::isnan(half_to_float(float_to_half(NAN))));
}

}  // namespace assay
