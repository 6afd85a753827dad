#include "model/engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/model/test_files.h"
#include "tests/support/devices.h"
#include "tests/support/loaded_model.h"
#include "tests/support/random.h"
#include "tests/support/tiny_model.h"

namespace assay {
namespace {

constexpr std::uint32_t vocabulary = 300;

const std::filesystem::path& tiny_model() {
    static const test::TemporaryFolder folder;
    static const bool written =
        (test::write_checkpoint(test::make_tiny_model({{"max_position_embeddings", 1024}}),
                                folder.path()),
         true);
    (void)written;
    return folder.path();
}

// A text to be written, and where its reader stops it.
struct Order {
    std::vector<TokenId> prompt;
    std::uint32_t max_new_tokens = 0;
    std::uint32_t stop_after = 0;  // tokens; 0: its reader never does
    Sampling how{};
    Draw draw{};
    std::vector<TokenId> asked = {};
};

struct Answer {
    std::vector<TokenId> tokens;
    std::vector<float> asked;

    bool operator==(const Answer&) const = default;
};

// Texts of all kinds, many of which begin with the same `common` tokens, or as others do.
std::vector<Order> random_orders(std::size_t count, std::uint32_t seed, std::uint32_t context,
                                 std::uint32_t common = 37) {
    test::Random random(seed);
    const auto tokens = [&](std::size_t length) {
        std::vector<TokenId> made(length);
        for (TokenId& token : made) token = 3 + random.below(vocabulary - 3);
        return made;
    };
    const std::vector<TokenId> header = tokens(common);
    std::vector<Order> orders;
    for (std::uint32_t i = 0; i < count; ++i) {
        Order order;
        if (!orders.empty() && random.below(3) == 0) {
            order.prompt = orders[random.below(static_cast<std::uint32_t>(orders.size()))].prompt;
            if (random.below(2) == 0)
                order.prompt.resize(1 +
                                    random.below(static_cast<std::uint32_t>(order.prompt.size())));
        } else if (random.below(4) != 0) {
            order.prompt = header;
        }
        if (random.below(2) == 0 || order.prompt.empty()) {
            const auto more = tokens(1 + random.below(40));
            order.prompt.insert(order.prompt.end(), more.begin(), more.end());
        }
        order.prompt.resize(std::min<std::size_t>(order.prompt.size(), context - 80));
        order.max_new_tokens = random.below(5) == 0 ? 0 : 1 + random.below(79);
        if (random.below(3) == 0) order.stop_after = 1 + random.below(20);
        if (random.below(2) == 0)
            order.how = {.temperature = 0.5f + 0.5f * static_cast<float>(random.below(3)),
                         .top_p = random.below(2) ? 0.9f : 1.0f,
                         .repetition_penalty = random.below(2) ? 1.3f : 1.0f,
                         .top_k = random.below(2) ? 20u : 0u};
        order.draw = {.seed = seed, .item = random.below(1000), .sample = i};
        order.asked = tokens(order.max_new_tokens == 0 ? 5 : random.below(4));
        orders.push_back(order);
    }
    return orders;
}

// Written one at a time, token by token, nothing shared.
Answer alone(Engine& engine, const Order& order) {
    Sequence sequence(engine);
    Answer answer;
    std::vector<TokenId> next = order.prompt;
    const auto step = [&] {
        const Work work{.sequence = &sequence,
                        .tokens = next,
                        .sample = order.max_new_tokens > 0,
                        .how = order.how,
                        .draw = order.draw,
                        .asked = order.asked};
        Outcome outcome = std::move(engine.step({&work, 1})[0]);
        answer.asked.insert(answer.asked.end(), outcome.asked.begin(), outcome.asked.end());
        return outcome.tokens;
    };
    if (order.max_new_tokens == 0) step();
    while (answer.tokens.size() < order.max_new_tokens) {
        next = step();
        answer.tokens.push_back(next[0]);
        if (std::ranges::count(engine.config().eos_token_ids, next[0])) break;
        if (answer.tokens.size() == order.stop_after) break;
    }
    return answer;
}

// What came of orders.
struct Written {
    std::vector<Answer> answers;
    std::vector<std::size_t> ended;     // the orders, as they ended
    std::vector<std::uint32_t> cached;  // of each order's prompt
    std::size_t most_running = 0;
};

// They arrive in bursts, all before the first step, or as soon as fewer than three are there.
enum class Arrivals : std::uint8_t { bursts, at_once, few };

Written together(Scheduler& scheduler, const std::vector<Order>& orders, std::uint32_t seed,
                 Arrivals arrivals = Arrivals::bursts) {
    test::Random random(seed);
    Written written;
    written.answers.resize(orders.size());
    written.cached.resize(orders.size());
    std::size_t submitted = 0;
    const auto submit = [&] {
        const std::size_t i = submitted++;
        const Order& order = orders[i];
        scheduler.submit({.prompt = order.prompt,
                          .max_new_tokens = order.max_new_tokens,
                          .how = order.how,
                          .draw = order.draw,
                          .asked = order.asked,
                          .on_token =
                              [&, i](TokenId token, std::span<const float> asked) {
                                  Answer& answer = written.answers[i];
                                  answer.tokens.push_back(token);
                                  answer.asked.insert(answer.asked.end(), asked.begin(),
                                                      asked.end());
                                  return answer.tokens.size() != orders[i].stop_after;
                              },
                          .on_end =
                              [&, i](const Generation& generation) {
                                  written.ended.push_back(i);
                                  written.cached[i] = generation.cached_tokens;
                                  if (orders[i].max_new_tokens == 0)
                                      written.answers[i].asked = generation.asked;
                                  EXPECT_LT(generation.cached_tokens, orders[i].prompt.size());
                              }});
    };
    const auto arrives = [&] {
        switch (arrivals) {
            case Arrivals::bursts:
                return random.below(3) != 0;
            case Arrivals::at_once:
                return true;
            case Arrivals::few:
                return submitted - written.ended.size() < 3;
        }
        return false;
    };
    for (;;) {
        while (submitted < orders.size() && arrives()) submit();
        const bool busy = scheduler.step();
        written.most_running = std::max(written.most_running, scheduler.stats().running);
        if (!busy && submitted == orders.size()) break;
    }
    EXPECT_EQ(written.ended.size(), orders.size());
    EXPECT_FALSE(scheduler.step());
    EXPECT_EQ(scheduler.stats().running, 0u);
    EXPECT_EQ(scheduler.stats().waiting, 0u);
    return written;
}

void expect_same(const std::vector<Answer>& answers, const std::vector<Answer>& expected,
                 const std::string& what) {
    ASSERT_EQ(answers.size(), expected.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
        EXPECT_EQ(answers[i].tokens, expected[i].tokens) << what << ", text " << i;
        EXPECT_EQ(answers[i].asked, expected[i].asked) << what << ", text " << i;
    }
}

// Exact, so that what is written together can be compared bit by bit.
EngineOptions invariant(std::uint32_t context, std::uint32_t sequences) {
    return {.kv = Cache::f32, .context = context, .sequences = sequences, .batch_invariant = true};
}

std::vector<Answer> each_alone(Engine& engine, const std::vector<Order>& orders) {
    std::vector<Answer> answers;
    for (const Order& order : orders) answers.push_back(alone(engine, order));
    return answers;
}

template <class Sizes>
std::uint64_t sum_of(const std::vector<Order>& orders, Sizes&& size) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < orders.size(); ++i) sum += size(i);
    return sum;
}

// Many orders, and what is written of each alone.
struct Expected {
    std::vector<Order> orders;
    std::vector<Answer> answers;

    Expected(std::size_t count, std::uint32_t context, std::uint32_t common)
        : orders(random_orders(count, 5, context, common)) {
        test::LoadedModel model(test::device(), tiny_model(), invariant(context, 1));
        answers = each_alone(model.engine, orders);
    }
};

constexpr std::uint32_t short_context = 192, long_context = 640;

const Expected& short_texts() {
    static const Expected expected(96, short_context, 37);
    return expected;
}

// Most cross 512 keys, which attention takes in two parts: in their prompts or while they write.
const Expected& long_texts() {
    static const Expected expected(24, long_context, 490);
    return expected;
}

struct Load {
    const char* name;
    std::uint32_t sequences, chunk, texts_of_blocks;  // blocks for so many texts at full length
    bool guess = false;
    std::size_t orders = 48;
    std::uint32_t context = short_context;
    Arrivals arrivals = Arrivals::bursts;
    friend void PrintTo(const Load& load, std::ostream* out) { *out << load.name; }
};

class SchedulerLoad : public testing::TestWithParam<Load> {};

// Whatever arrives when, however texts are cut, shared, put back and guessed, each is as if alone.
TEST_P(SchedulerLoad, EveryTextIsAsIfAlone) {
    const Load& load = GetParam();
    const Expected& expected = load.context == short_context ? short_texts() : long_texts();
    const std::vector orders(expected.orders.begin(),
                             expected.orders.begin() + static_cast<std::ptrdiff_t>(load.orders));
    const std::vector answers(expected.answers.begin(),
                              expected.answers.begin() + static_cast<std::ptrdiff_t>(load.orders));
    EngineOptions options = invariant(load.context, load.sequences);
    options.kv_blocks = load.texts_of_blocks * BlockPool::blocks_for(load.context);
    options.prefill_chunk = load.chunk;
    test::LoadedModel loaded(test::device(), tiny_model(), options);
    Scheduler scheduler(loaded.engine, {.speculate = load.guess, .always_guess = load.guess});
    std::size_t most_running = 0;
    for (std::uint32_t seed : {1u, 2u}) {
        const Written written = together(scheduler, orders, seed, load.arrivals);
        expect_same(written.answers, answers, "arrivals " + std::to_string(seed));
        EXPECT_EQ(loaded.engine.blocks().available(), loaded.engine.blocks().size());
        most_running = std::max(most_running, written.most_running);
        if (seed != 1) continue;
        const SchedulerStats& stats = scheduler.stats();
        EXPECT_EQ(stats.prompt_tokens,
                  sum_of(orders, [&](std::size_t i) { return orders[i].prompt.size(); }));
        EXPECT_EQ(stats.cached_tokens,
                  sum_of(orders, [&](std::size_t i) { return written.cached[i]; }));
        EXPECT_EQ(stats.written_tokens,
                  sum_of(orders, [&](std::size_t i) { return answers[i].tokens.size(); }));
        EXPECT_GT(stats.cached_tokens, 0u);
    }
    if (load.arrivals == Arrivals::at_once) {
        EXPECT_EQ(most_running, load.sequences);
    }
    const SchedulerStats& stats = scheduler.stats();
    if (load.texts_of_blocks == 1 && load.sequences > 1) {
        EXPECT_GT(stats.preemptions, 0u);
    }
    if (load.guess) {
        EXPECT_GT(stats.accepted_tokens, 0u);
        EXPECT_LT(stats.accepted_tokens, stats.guessed_tokens);
    } else {
        EXPECT_EQ(stats.guessed_tokens, 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(All, SchedulerLoad,
                         testing::Values(Load{"one_at_a_time", 1, 64, 1}, Load{"a_few", 3, 32, 3},
                                         Load{"many", 24, 64, 24},
                                         Load{"short_of_blocks", 8, 64, 1},
                                         Load{"short_of_tokens", 8, 7, 4},
                                         Load{.name = "guessing",
                                              .sequences = 8,
                                              .chunk = 64,
                                              .texts_of_blocks = 8,
                                              .guess = true,
                                              .arrivals = Arrivals::few},
                                         Load{.name = "guessing_short_of_blocks",
                                              .sequences = 8,
                                              .chunk = 16,
                                              .texts_of_blocks = 1,
                                              .guess = true,
                                              .arrivals = Arrivals::few},
                                         Load{.name = "sixty_four",
                                              .sequences = 64,
                                              .chunk = 256,
                                              .texts_of_blocks = 64,
                                              .orders = 96,
                                              .arrivals = Arrivals::at_once},
                                         Load{.name = "past_512_keys",
                                              .sequences = 8,
                                              .chunk = 100,
                                              .texts_of_blocks = 5,
                                              .orders = 24,
                                              .context = long_context}),
                         [](const auto& test) { return test.param.name; });

// Of one text after another, all that any before it holds is found.
TEST(Scheduler, FindsWhatWasComputedBefore) {
    EngineOptions options = invariant(short_context, 1);
    const std::vector orders(short_texts().orders.begin(), short_texts().orders.begin() + 48);
    options.kv_blocks = 48 * BlockPool::blocks_for(short_context);
    test::LoadedModel loaded(test::device(), tiny_model(), options);
    Scheduler scheduler(loaded.engine, {.speculate = false});
    const Written written = together(scheduler, orders, 1);
    std::vector<std::vector<TokenId>> before;
    for (const std::size_t i : written.ended) {
        const std::vector<TokenId>& prompt = orders[i].prompt;
        std::ptrdiff_t known = 0;
        for (const auto& text : before)
            known = std::max(known, std::ranges::mismatch(prompt, text).in1 - prompt.begin());
        EXPECT_EQ(written.cached[i], std::min(known, std::ssize(prompt) - 1)) << "text " << i;
        before.push_back(prompt);
        const auto& tokens = written.answers[i].tokens;
        before.back().insert(before.back().end(), tokens.begin(), tokens.end());
    }
}

// Greedy texts of a random model end in a loop, and others with few tokens to choose from repeat
// themselves. What is guessed right and wrong changes nothing.
TEST(Scheduler, GuessesWhatRepeats) {
    test::LoadedModel loaded(test::device(), tiny_model(), invariant(256, 16));
    struct Case {
        const char* name;
        Sampling how;
    };
    for (const auto& [name, how] :
         {Case{"greedy", {}}, Case{"random", {.temperature = 1, .top_k = 2}},
          Case{"penalised", {.repetition_penalty = 1.02f}},
          Case{"random and penalised",
               {.temperature = 0.5f, .repetition_penalty = 1.02f, .top_k = 3}}}) {
        std::vector<Order> orders;
        for (std::uint32_t i = 0; i < 3; ++i)
            orders.push_back({.prompt = {5, 6 + i, 7, 8, 5, 6 + i, 7, 8, 5},
                              .max_new_tokens = 120,
                              .stop_after = i == 1 ? 61u : 0u,
                              .how = how,
                              .draw = {.seed = 1, .sample = i},
                              .asked = {3, 4 + i}});
        Scheduler scheduler(loaded.engine, {.always_guess = true});
        expect_same(together(scheduler, orders, 1, Arrivals::at_once).answers,
                    each_alone(loaded.engine, orders), name);
        const SchedulerStats& stats = scheduler.stats();
        EXPECT_GT(stats.accepted_tokens, 0u) << name;
        EXPECT_LT(stats.accepted_tokens, stats.guessed_tokens) << name;
    }
}

// Nothing depends on how fast the device is.
TEST(Scheduler, GuessesTheSameAgain) {
    test::LoadedModel loaded(test::device(), tiny_model(), invariant(256, 8));
    const Order order{.prompt = {5, 6, 7, 8}, .max_new_tokens = 200};
    const Answer expected = alone(loaded.engine, order);
    Scheduler scheduler(loaded.engine);
    EXPECT_EQ(together(scheduler, {order}, 1).answers[0], expected);
    const SchedulerStats first = scheduler.stats();
    EXPECT_GT(first.guessed_tokens, 0u);
    EXPECT_GT(first.accepted_tokens, 0u);
    EXPECT_EQ(together(scheduler, {order}, 1).answers[0], expected);
    EXPECT_EQ(scheduler.stats().guessed_tokens, 2 * first.guessed_tokens);
    EXPECT_EQ(scheduler.stats().accepted_tokens, 2 * first.accepted_tokens);
}

// One text alone for good, as others wait for its place or for blocks of the cache.
TEST(Scheduler, GuessesWhereNobodyCanComeIn) {
    const Order order{.prompt = {5, 6, 7, 8}, .max_new_tokens = 100};
    for (const auto& [sequences, blocks] : {std::pair(1u, 32u), std::pair(4u, 16u)}) {
        EngineOptions options = invariant(256, sequences);
        options.kv_blocks = blocks;
        test::LoadedModel loaded(test::device(), tiny_model(), options);
        const Answer expected = alone(loaded.engine, order);
        Order large = order;  // needs most of the cache
        large.prompt.assign(150, 9);
        Scheduler scheduler(loaded.engine, {.always_guess = true});
        const auto answers =
            together(scheduler, {order, large, large}, 1, Arrivals::at_once).answers;
        EXPECT_EQ(answers[0], expected);
        EXPECT_EQ(answers[1], answers[2]);
        EXPECT_GT(scheduler.stats().guessed_tokens, 30u) << sequences << " sequences";
    }
}

TEST(Scheduler, SharesAPromptAmongItsSamples) {
    test::LoadedModel loaded(test::device(), tiny_model(), invariant(128, 8));
    std::vector<Order> orders(6, Order{.prompt = random_orders(1, 9, 128)[0].prompt,
                                       .max_new_tokens = 8,
                                       .how = {.temperature = 1}});
    for (std::uint32_t i = 0; i < orders.size(); ++i) {
        orders[i].prompt.resize(71, 7);
        orders[i].draw.sample = i;
    }
    Scheduler scheduler(loaded.engine);
    const auto answers = together(scheduler, orders, 3).answers;
    // All but its last token, whose logits are wanted, come from the first.
    EXPECT_EQ(scheduler.stats().cached_tokens, 5u * 70);
    expect_same(answers, each_alone(loaded.engine, orders), "samples");
    EXPECT_NE(answers[0].tokens, answers[1].tokens);
}

TEST(Scheduler, SaysWhatDoesNotFit) {
    test::LoadedModel loaded(test::device(), tiny_model(), {.kv = Cache::f32, .context = 64});
    Scheduler scheduler(loaded.engine);
    test::expect_error(
        [&] { scheduler.submit({.prompt = std::vector<TokenId>(60, 5), .max_new_tokens = 5}); },
        {"context", "65", "64"});
    test::LoadedModel small(test::device(), tiny_model(),
                            {.kv = Cache::f32, .context = 64, .kv_blocks = 3});
    test::expect_error([&] { Scheduler(small.engine, {}); }, {"48 tokens", "64"});
}

// As above with the validation of synchronisation.
TEST(Scheduler, WritesTogetherWithBuffersBound) {
    EngineOptions options = invariant(128, 4);
    options.prefill_chunk = 48;
    test::LoadedModel loaded(test::bound_device(), tiny_model(), options);
    const auto orders = random_orders(8, 6, 128);
    const auto expected = each_alone(loaded.engine, orders);
    Scheduler scheduler(loaded.engine);
    expect_same(together(scheduler, orders, 1).answers, expected, "bound");
}

TEST(Scheduler, WritesOnTwoDevices) {
    test::SplitModel split(test::device(), tiny_model(), invariant(128, 4));
    EXPECT_FALSE(split.engine.can_look_ahead());
    const auto orders = random_orders(8, 7, 128);
    const auto expected = each_alone(split.engine, orders);
    Scheduler scheduler(split.engine);
    expect_same(together(scheduler, orders, 1).answers, expected, "two devices");
}

}  // namespace
}  // namespace assay
