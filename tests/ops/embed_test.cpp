#include <gtest/gtest.h>

#include "tests/support/tensors.h"

namespace assay {

// A decoded weight is a product of few factors, rounded as the reference rounds it: equal to the
// last bit.
TEST(Embed, MatchesReference) {
    struct Case {
        std::uint32_t vocabulary, dim, rows;
    };
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(4);
        for (Format format : test::all_formats())
            for (const auto& [vocabulary, dim, rows] :
                 {Case{1, 32, 1}, {31, 64, 3}, {33, 512, 9}, {300, 768, 65}, {257, 4096, 5}}) {
                if (dim % info(format).block_size != 0) continue;
                const auto file = test::random_weight(format, vocabulary, dim, random);
                const test::DeviceWeight table(s, file);
                std::vector<std::uint32_t> tokens(rows);
                for (auto& token : tokens) token = random.below(vocabulary);
                tokens.back() = vocabulary - 1;
                const auto actual =
                    test::download(s, ops::embed(s, table, test::upload(s, tokens, {rows, 1, 1})));
                s.wait();
                EXPECT_EQ(actual, reference::gather(file.values(), dim, tokens))
                    << info(format).name << ", " << vocabulary << " x " << dim;
            }
    }
}

}  // namespace assay
