#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/tensors.h"

namespace assay {

TEST(SiluMul, MatchesReference) {
    struct Case {
        std::uint32_t rows, dim;
    };
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(3);
        // 147 x 14336 needs more workgroups than lie along x.
        for (const auto& [rows, dim] :
             {Case{1, 1}, {1, 63}, {1, 64}, {1, 65}, {3, 257}, {2, 14336}, {147, 14336}}) {
            const std::size_t size = std::size_t{rows} * dim;
            auto gate = random.normals(size, 4), up = random.normals(size);
            for (std::size_t i = 0; i + 2 < size;
                 i += 64) {  // where exp overflows, and where it is 0
                gate[i] = -1e4f;
                gate[i + 1] = 1e4f;
            }
            const Tensor y = ops::silu_mul(s, test::upload(s, gate, {rows, dim, 1}),
                                           test::upload(s, up, {rows, dim, 1}));
            const auto actual = test::download(s, y);
            s.wait();
            // exp(x) may be off by 3 + 2 |x| units in the last place, and here |x| stays below 20
            // or the quotient is a limit.
            test::expect_close(actual, reference::silu_mul(gate, up),
                               (12 + 4 * 20) * test::rounding,
                               std::to_string(rows) + " x " + std::to_string(dim));
        }
    }
}

}  // namespace assay
