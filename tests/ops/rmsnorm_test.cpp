#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/tensors.h"

namespace assay {

TEST(RmsNorm, MatchesReference) {
    struct Case {
        std::uint32_t rows, dim;
        double size;  // of x
    };
    // Around a workgroup and around what each invocation takes; a real model's; sizes whose squares
    // are small or large.
    constexpr Case cases[] = {{1, 1, 1},     {1, 32, 1},    {2, 96, 1},  {3, 127, 1},
                              {1, 128, 1},   {2, 129, 1},   {3, 257, 1}, {65, 256, 1},
                              {2, 4096, 1},  {1, 14336, 1}, {2, 64, 0},  {2, 256, 1e-6},
                              {2, 256, 1e15}};
    constexpr float eps = 1e-5f;
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(1);
        for (const auto& [rows, dim, size] : cases) {
            const auto x = random.normals(std::size_t{rows} * dim, size),
                       weight = random.normals(dim);
            const Tensor device_x = test::upload(s, x, {rows, dim, 1}),
                         device_weight = test::upload(s, weight, {dim, 1, 1});
            std::vector<std::vector<float>> results;
            results.push_back(test::download(s, ops::rmsnorm(s, device_x, device_weight, eps)));
            // Of several subgroups, as on a GPU.
            const Tensor y = s.scratch(rows, dim);
            s.dispatch(kernels::rmsnorm().specialize(128),
                       {.x = device_x, .weight = device_weight, .y = y, .dim = dim, .eps = eps},
                       {.x = rows});
            results.push_back(test::download(s, y));
            s.wait();
            // All squares are positive, so their sum is good to about sqrt(n) roundings, its root
            // to half of that; inversesqrt may be off by 2 units in the last place.
            for (const auto& actual : results)
                test::expect_close(actual, reference::rmsnorm(x, weight, eps),
                                   (8 + std::sqrt(dim) / 2) * test::rounding,
                                   std::to_string(rows) + " x " + std::to_string(dim) +
                                       " of size " + std::to_string(size));
        }
    }
}

}  // namespace assay
