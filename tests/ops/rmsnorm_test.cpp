#include <gtest/gtest.h>

#include <cmath>

#include "runtime/ops.h"
#include "tests/support/devices.h"

namespace assay {

TEST(RmsNorm, MatchesReference) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.profile = true, .guard = true});
        std::vector<float> x(3 * 257), w(257), y(3 * 257);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
        for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::cos(static_cast<float>(i));
        Tensor tx = s.upload(std::span<const float>(x)), tw = s.upload(std::span<const float>(w));
        tx.shape = {3, 257, 1};
        Tensor ty = ops::rmsnorm(s, tx, tw, 1e-5f);
        Tensor tz = ops::rmsnorm(s, ty, tw, 1e-5f);
        s.download(ty, std::span<float>(y));
        (void)tz;
        s.wait();
        for (std::size_t r = 0; r < 3; ++r) {
            double sum = 0;
            for (std::size_t i = 0; i < 257; ++i) sum += double(x[r * 257 + i]) * x[r * 257 + i];
            for (std::size_t i = 0; i < 257; ++i)
                ASSERT_NEAR(y[r * 257 + i], x[r * 257 + i] / std::sqrt(sum / 257 + 1e-5) * w[i], 1e-5) << r << " " << i;
        }
        printf("%s", profile_table(s.profile(), 0).c_str());
    }
}

}  // namespace assay
