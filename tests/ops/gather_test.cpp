#include <gtest/gtest.h>

#include "tests/support/tensors.h"

namespace assay {

TEST(Gather, CopiesRows) {
    struct Case {
        std::uint32_t from, rows, dim;
    };
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(2);
        for (const auto& [from, rows, dim] :
             {Case{1, 1, 1}, {5, 3, 63}, {5, 9, 64}, {2, 3, 65}, {33, 32, 4096}}) {
            const auto x = random.normals(std::size_t{from} * dim);
            std::vector<std::uint32_t> chosen(rows);
            for (auto& row : chosen) row = random.below(from);
            const Tensor y = ops::gather(s, test::upload(s, x, {from, dim, 1}),
                                         test::upload(s, chosen, {rows, 1, 1}));
            const auto actual = test::download(s, y);
            s.wait();
            EXPECT_EQ(actual, reference::gather(x, dim, chosen))
                << rows << " of " << from << " x " << dim;
        }
    }
}

}  // namespace assay
