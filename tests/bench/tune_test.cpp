// What is left to tune of a device once something was.
#include "bench/kernels/tune.h"

#include <gtest/gtest.h>

#include "bench/kernels/models.h"

namespace assay::bench {
namespace {

using Formats = std::vector<Format>;

constexpr ModelShape dense{.name = "dense",
                           .hidden = 256,
                           .heads = 4,
                           .kv_heads = 2,
                           .head_dim = 64,
                           .intermediate = 512,
                           .vocabulary = 1000,
                           .dense = true};

TuneOptions all_of(const ModelShape& model, const Formats& formats) {
    return {.formats = formats, .shapes = shapes_to_tune(model)};
}

}  // namespace

TEST(Tune, TriesAFormatOnce) {
    const TuneOptions first = all_of(dense, {Format::q4_0, Format::f16});
    ops::Tuning tuning;
    EXPECT_EQ(untried(first, tuning).formats, first.formats);
    adopt({}, first, "now", tuning);  // although nothing came of it
    EXPECT_EQ(tuning.date, "") << "nothing was measured";
    EXPECT_EQ(untried(first, tuning).formats, Formats{});
    EXPECT_EQ(untried(all_of(dense, {Format::f16, Format::q8_0}), tuning).formats,
              Formats{Format::q8_0});
}

TEST(Tune, TriesExpertsBesideDenseProducts) {
    ModelShape mixture = dense;
    mixture.experts = 8;
    mixture.experts_used = 2;
    ops::Tuning tuning;
    adopt({}, all_of(dense, {Format::q4_0}), "now", tuning);
    EXPECT_EQ(untried(all_of(mixture, {Format::q4_0}), tuning).formats, Formats{Format::q4_0});
    adopt({}, all_of(mixture, {Format::q4_0}), "then", tuning);
    EXPECT_EQ(untried(all_of(mixture, {Format::q4_0}), tuning).formats, Formats{});
}

TEST(Tune, TriesProductsOfBytesBesideOthers) {
    TuneOptions options = all_of(dense, {Format::q4_0, Format::f16});
    ops::Tuning tuning;
    adopt({}, options, "now", tuning);
    options.int8 = true;
    EXPECT_EQ(untried(options, tuning).formats, Formats{Format::q4_0});
    adopt({}, options, "then", tuning);
    EXPECT_EQ(untried(options, tuning).formats, Formats{});
}

TEST(Tune, TriesAllOfWhatWasTriedInPart) {
    TuneOptions quick = all_of(dense, {Format::q4_0});
    quick.most_rows = 8;
    ops::Tuning tuning;
    adopt({}, quick, "now", tuning);
    EXPECT_EQ(untried(all_of(dense, {Format::q4_0}), tuning).formats, Formats{Format::q4_0});
}

}  // namespace assay::bench
