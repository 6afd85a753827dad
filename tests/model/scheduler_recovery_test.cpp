// A scheduler off the normal path: after exceptions, destroyed too early, short of blocks.
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "model/engine/scheduler.h"
#include "runtime/error.h"
#include "tests/model/test_files.h"
#include "tests/support/devices.h"
#include "tests/support/loaded_model.h"
#include "tests/support/random.h"
#include "tests/support/tiny_model.h"

namespace assay {
namespace {

using Tokens = std::vector<TokenId>;

constexpr std::uint32_t context = 128, block = ops::block_slots;

Tokens random_tokens(std::size_t count, std::uint32_t seed) {
    test::Random random(seed);
    Tokens tokens(count);
    for (TokenId& token : tokens) token = 3 + random.below(297);
    return tokens;
}

EngineOptions options_with(std::uint32_t kv_blocks) {
    return {.kv = Cache::f32,
            .context = context,
            .sequences = 8,
            .kv_blocks = kv_blocks,
            .prefill_chunk = 64,
            .batch_invariant = true};
}

test::LoadedModel load(std::uint32_t kv_blocks) {
    const test::TemporaryFolder folder;
    test::write_checkpoint(test::make_tiny_model(), folder.path());
    return {test::device(), folder.path(), options_with(kv_blocks)};
}

// Texts that begin alike, and what was written of them.
struct Texts {
    static constexpr std::size_t count = 6;

    void submit(Scheduler& scheduler) {
        const Tokens header = random_tokens(20, 1);
        for (std::uint32_t i = 0; i < count; ++i) {
            Tokens prompt = header;
            const Tokens own = random_tokens(5 + 11 * i, 2 + i);
            prompt.insert(prompt.end(), own.begin(), own.end());
            scheduler.submit({.prompt = prompt,
                              .max_new_tokens = 10 + 3 * i,
                              .how = {.temperature = 1},
                              .draw = {.item = i},
                              .endless = true,
                              .on_token =
                                  [this, i](TokenId token, std::span<const float>) {
                                      written[i].push_back(token);
                                      if (i == throwing && written[i].size() == 4)
                                          throw Error("a reader's");
                                      return true;
                                  },
                              .on_end = [this, i](const Generation&) { ended.insert(i); }});
        }
    }
    // Steps until all is done. Returns the exceptions on the way.
    static int write(Scheduler& scheduler) {
        for (int exceptions = 0;;) {
            try {
                while (scheduler.step()) {
                }
                return exceptions;
            } catch (const Error&) {
                ++exceptions;
            }
        }
    }

    std::array<Tokens, count> written;
    std::set<std::size_t> ended;
    std::optional<std::size_t> throwing = {};  // the text whose reader throws
};

const std::array<Tokens, Texts::count>& expected() {
    static const auto written = [] {
        test::LoadedModel loaded = load(64);
        Scheduler scheduler(loaded.engine);
        Texts texts;
        texts.submit(scheduler);
        Texts::write(scheduler);
        return texts.written;
    }();
    return written;
}

// Fails while a step is recorded, once.
struct FailingObserver : ForwardObserver {
    void input(Stream&, const Weight&, const Tensor&) override {
        if (calls_left-- == 0) throw Error("out of luck");
    }
    int calls_left = 0;
};

void expect_to_go_on(Engine& engine) {
    for (const int calls : {0, 3, 20, 47, 130}) {
        FailingObserver failing;
        failing.calls_left = calls;
        engine.observe(&failing);
        Scheduler scheduler(engine);
        Texts texts;
        texts.submit(scheduler);
        EXPECT_EQ(Texts::write(scheduler), 1) << calls;
        EXPECT_EQ(texts.written, expected()) << calls;
        EXPECT_EQ(texts.ended.size(), Texts::count) << calls;
        EXPECT_EQ(scheduler.stats().preemptions, 0u);
        EXPECT_EQ(engine.blocks().available(), 64u);
    }
    engine.observe(nullptr);
}

TEST(SchedulerRecovery, GoesOnAfterAFailedStep) {
    test::LoadedModel loaded = load(64);
    expect_to_go_on(loaded.engine);
}

// Also one that fails on the second device, when the first is done.
TEST(SchedulerRecovery, GoesOnAfterAFailedStepOfTwoDevices) {
    const test::TemporaryFolder folder;
    test::write_checkpoint(test::make_tiny_model(), folder.path());
    test::SplitModel split(test::device(), folder.path(), options_with(64));
    expect_to_go_on(split.engine);
}

TEST(SchedulerRecovery, DropsTheTextWhoseReaderThrew) {
    test::LoadedModel loaded = load(64);
    Scheduler scheduler(loaded.engine);
    Texts texts;
    texts.throwing = 2;
    texts.submit(scheduler);
    EXPECT_EQ(Texts::write(scheduler), 1);
    for (std::size_t i = 0; i < Texts::count; ++i) {
        const auto& all = expected()[i];
        EXPECT_EQ(texts.written[i], i == 2 ? Tokens(all.begin(), all.begin() + 4) : all) << i;
        EXPECT_EQ(texts.ended.count(i), i == 2 ? 0u : 1u) << i;
    }
    EXPECT_EQ(loaded.engine.blocks().available(), 64u);

    // What comes later is no more preferred than before.
    scheduler.submit({.prompt = {5}, .on_end = [](const Generation&) { throw Error("the end"); }});
    EXPECT_EQ(Texts::write(scheduler), 1);
    EXPECT_EQ(scheduler.stats().running + scheduler.stats().waiting, 0u);
    EXPECT_EQ(loaded.engine.blocks().available(), 64u);
}

TEST(SchedulerRecovery, LeavesTheEngineToTheNext) {
    test::LoadedModel loaded = load(64);
    for (const int steps : {1, 2, 5, 9}) {
        {
            Scheduler scheduler(loaded.engine);
            Texts texts;
            texts.submit(scheduler);
            for (int i = 0; i < steps; ++i) scheduler.step();
            EXPECT_EQ(loaded.engine.steps_under_way(), 1u);
        }
        EXPECT_EQ(loaded.engine.steps_under_way(), 0u);
        EXPECT_EQ(loaded.engine.blocks().available(), 64u);
        Scheduler scheduler(loaded.engine);
        Texts texts;
        texts.submit(scheduler);
        EXPECT_EQ(Texts::write(scheduler), 0);
        EXPECT_EQ(texts.written, expected());
    }
}

TEST(SchedulerRecovery, ATextThatDoesNotFitLeavesTheCacheAsItIs) {
    test::LoadedModel loaded = load(16);
    Scheduler scheduler(loaded.engine);
    const BlockPool& pool = loaded.engine.blocks();
    const Tokens three_blocks = random_tokens(40, 1), five_blocks = random_tokens(5 * block, 2);
    for (const Tokens& text : {three_blocks, five_blocks}) {
        scheduler.submit({.prompt = text, .asked = {1}});
        Texts::write(scheduler);
    }
    // All other blocks go to a text that writes for a while.
    bool written = false;
    scheduler.submit({.prompt = random_tokens(7 * block + 1, 3),
                      .max_new_tokens = 12,
                      .endless = true,
                      .on_end = [&](const Generation&) { written = true; }});
    scheduler.step();
    Tokens begins_alike(three_blocks.begin(), three_blocks.begin() + 36);
    begins_alike.resize(7 * block + 5, 9);
    std::uint32_t cached = 0;
    scheduler.submit(
        {.prompt = begins_alike, .asked = {1}, .on_end = [&](const Generation& generation) {
             cached = generation.cached_tokens;
         }});
    for (int steps = 0; scheduler.step() && !written; ++steps) {
        EXPECT_EQ(pool.available(), 8u) << steps;
        EXPECT_EQ(pool.find(three_blocks).partial_tokens, 40 - 2 * block) << steps;
        EXPECT_EQ(pool.find(five_blocks).blocks.size(), 5u) << steps;
        ASSERT_LT(steps, 20);
    }
    Texts::write(scheduler);
    EXPECT_EQ(cached, 36u);
}

// Two that do not fit together: the second waits for the end of the first.
TEST(SchedulerRecovery, PutsBackOnce) {
    for (const std::uint32_t blocks : {8u, 9u, 11u, 12u}) {
        test::LoadedModel loaded = load(blocks);
        Scheduler scheduler(loaded.engine);
        for (std::uint32_t seed : {1u, 2u})
            scheduler.submit(
                {.prompt = random_tokens(20 + seed, seed), .max_new_tokens = 100, .endless = true});
        EXPECT_EQ(Texts::write(scheduler), 0);
        EXPECT_EQ(scheduler.stats().preemptions, 1u) << blocks;
    }
}

}  // namespace
}  // namespace assay
