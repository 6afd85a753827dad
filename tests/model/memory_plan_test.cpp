#include "model/memory_plan.h"

#include <gtest/gtest.h>

#include "model/mistral.h"
#include "tests/model/test_files.h"
#include "tests/support/paths.h"
#include "tests/support/tiny_model.h"

namespace assay {
namespace {

// A step as wide as any: a whole chunk, the last of a longer prompt, with the logits of guesses.
void take_widest_step(Engine& engine, std::uint32_t chunk) {
    Sequence sequence(engine);
    const std::vector<TokenId> tokens(200, 5);
    const std::size_t before_last = tokens.size() - chunk;
    const Work prompt{.sequence = &sequence, .tokens = std::span(tokens).first(before_last)};
    engine.step({&prompt, 1});
    const Work widest{.sequence = &sequence,
                      .tokens = std::span(tokens).subspan(before_last),
                      .logits = Work::last,
                      .sample = true,
                      .guesses = shader::most_guesses};
    engine.step({&widest, 1});
}

TEST(MemoryPlan, CoversWhatARunTakes) {
    EngineOptions options{.kv = Cache::f16, .context = 256, .prefill_chunk = 64};
    test::TinyModel model = test::make_tiny_model();
    test::TemporaryFolder folder;
    test::write_checkpoint(model, folder.path());
    Device device;
    const Checkpoint checkpoint(folder.path());
    const MemoryPlan plan = plan_memory(checkpoint, options, {device.info(), device.free_bytes()});
    EXPECT_TRUE(plan.fits());

    const std::uint64_t before = device.allocated_bytes();
    Weights weights = load_weights(device, checkpoint, options.context);
    EXPECT_GE(plan.weights, device.allocated_bytes() - before);
    EXPECT_LE(plan.weights, (device.allocated_bytes() - before) / 100 * 105);

    // Everything a run has allocated after its widest step.
    const Mistral mistral(checkpoint.config(), std::move(weights));
    Engine engine(device, mistral, options);
    take_widest_step(engine, options.prefill_chunk);
    EXPECT_LE(engine.stream().scratch_peak_bytes(), plan.scratch);
    EXPECT_GE(engine.stream().scratch_peak_bytes(), plan.scratch / 3 * 2);
    EXPECT_LE(device.peak_allocated_bytes(), plan.total());
}

TEST(MemoryPlan, CoversActivationsOf8Bits) {
    Device device;
    if (!device.has(Tier::dot)) GTEST_SKIP() << device.info().tier(Tier::dot).note;
    const Checkpoint checkpoint(test::data("demo-judge/tiny-judge-Q8_0.gguf"));
    EngineOptions options{.context = 256, .prefill_chunk = 128};
    const Mistral mistral(checkpoint.config(), load_weights(device, checkpoint, options.context));
    std::uint64_t without = 0;
    for (const bool int8 : {false, true}) {
        options.int8_activations = int8;
        const MemoryPlan plan =
            plan_memory(checkpoint, options, {device.info(), device.free_bytes()});
        Engine engine(device, mistral, options);
        take_widest_step(engine, options.prefill_chunk);
        EXPECT_LE(engine.stream().scratch_peak_bytes(), plan.scratch);
        EXPECT_GE(engine.stream().scratch_peak_bytes(), plan.scratch / 3 * 2);
        EXPECT_GT(engine.stream().scratch_peak_bytes(), without);
        without = engine.stream().scratch_peak_bytes();
    }
}

TEST(MemoryPlan, CountsTheCacheInItsFormat) {
    test::TemporaryFolder folder;
    test::write_checkpoint(test::make_tiny_model({{"head_dim", 64}}), folder.path());
    const Checkpoint checkpoint(folder.path());
    // Keys and values of 2 layers with 2 heads of 64 at 100 positions, which are 7 blocks of 16.
    constexpr std::uint64_t elements = 2 * 2 * 2 * 64 * 7 * 16;
    const auto cache_bytes = [&](Cache kv) {
        return plan_memory(checkpoint, {.kv = kv, .context = 100}, Place{}).kv_cache;
    };
    EXPECT_EQ(cache_bytes(Cache::f32), elements * 4);
    EXPECT_EQ(cache_bytes(Cache::f16), elements * 2);
    EXPECT_EQ(cache_bytes(Cache::q8_0), elements * 34 / 32);
}

TEST(MemoryPlan, RefusesWithTheNumbers) {
    const MemoryPlan plan{.weights = 4'100'000'000,
                          .kv_cache = 500'000'000,
                          .scratch = 100'000'000,
                          .free = 4'000'000'000};
    Place place;
    place.device.name = "Small GPU";
    test::expect_error([&] { require_fit({plan}, {.context = 4096}, {place}); },
                       {"4.7 GB", "4.0 GB", "Small GPU", "4096 tokens", "--context"});
}

const std::filesystem::path& write_tiny_model(const test::TemporaryFolder& folder) {
    test::write_checkpoint(test::make_tiny_model({{"head_dim", 64}}), folder.path());
    return folder.path();
}

// What fits on a device of made-up memory, for texts of 100 positions, which are 7 blocks.
struct Filled {
    // Bytes of a block of 16 positions: keys and values of 2 layers with 2 heads of 64 in f16.
    static constexpr std::uint64_t block = 2 * 2 * 2 * 64 * 16 * 2;

    EngineOptions options(std::uint64_t free, std::uint64_t kv_bytes, std::uint32_t sequences) {
        place.free_bytes = free;
        return fill_memory(checkpoint, {.context = 100, .sequences = sequences}, {place}, false,
                           kv_bytes);
    }
    MemoryPlan plan(const EngineOptions& options) {
        return plan_memory(checkpoint, options, place);
    }

    test::TemporaryFolder folder;
    Checkpoint checkpoint{write_tiny_model(folder)};
    Place place;
};

TEST(FillMemory, TakesWhatTheTextsUse) {
    Filled filled;
    const EngineOptions eight = filled.options(1ull << 40, 0, 8);
    EXPECT_EQ(eight.sequences, 8u);
    EXPECT_EQ(eight.kv_blocks, 8u * 7);
    // Unless told otherwise it chooses how many; few of them are as long as they may be.
    const EngineOptions many = filled.options(1ull << 40, 0, 0);
    EXPECT_EQ(many.sequences, 64u);
    EXPECT_EQ(many.kv_blocks, 32u * 7);
    filled.place.device.is_cpu = true;
    EXPECT_EQ(filled.options(1ull << 40, 0, 0).sequences, 32u);
}

TEST(FillMemory, KeepsToTheCap) {
    Filled filled;
    for (const std::uint64_t blocks : {7u, 8u, 20u, 55u, 56u})
        for (const std::uint64_t more : {std::uint64_t{0}, Filled::block - 1}) {
            const EngineOptions options =
                filled.options(1ull << 40, blocks * Filled::block + more, 8);
            EXPECT_EQ(options.kv_blocks, blocks);
            EXPECT_EQ(filled.plan(options).kv_cache, blocks * Filled::block);
        }
    EXPECT_EQ(filled.options(1ull << 40, 57 * Filled::block, 8).kv_blocks, 56u);
    test::expect_error([&] { filled.options(1ull << 40, 7 * Filled::block - 1, 8); },
                       {"100 tokens", bytes_text(7 * Filled::block), "are allowed", "--kv-memory"});
}

// With nine tenths of what is free.
TEST(FillMemory, LeavesTheDeviceRoom) {
    Filled filled;
    const std::uint64_t least = filled.plan(filled.options(0, 0, 8)).needed();
    for (const std::uint64_t blocks : {0u, 1u, 30u}) {
        const auto free =
            static_cast<std::uint64_t>(static_cast<double>(least + blocks * Filled::block) / 0.9);
        const EngineOptions options = filled.options(free + 1, 0, 8);
        EXPECT_EQ(options.kv_blocks, 7 + blocks);
        EXPECT_LE(static_cast<double>(filled.plan(options).needed()),
                  0.9 * static_cast<double>(free + 1));
    }
    // Never less than one text takes: whether that fits is for require_fit() to say.
    EXPECT_EQ(filled.options(0, 0, 8).kv_blocks, 7u);
}

}  // namespace
}  // namespace assay
