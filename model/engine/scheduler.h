#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "model/engine/engine.h"
#include "model/engine/generator.h"
#include "model/engine/speculation.h"

namespace assay {

struct SchedulerOptions {
    bool speculate = true;      // guess tokens where few texts are written at a time, if it pays
    bool always_guess = false;  // where few are, though it may not pay (tests)
    // Texts written at a time; 0, or more than the engine takes: as many as it does.
    std::uint32_t sequences = 0;
};

struct SchedulerStats {
    std::size_t running = 0, waiting = 0;  // texts
    std::uint32_t kv_blocks_free = 0, kv_blocks = 0;
    std::uint64_t steps = 0;
    std::uint64_t prompt_tokens = 0, cached_tokens = 0;  // of texts taken up; cached: found
    std::uint64_t written_tokens = 0;
    std::uint64_t preemptions = 0;  // texts put back for want of blocks, and computed again later
    std::uint64_t guessed_tokens = 0, accepted_tokens = 0;  // by speculation
};

// Writes texts in the steps of an engine (continuous batching, Yu et al. 2022): every step takes
// one token of each running text, and as many tokens of new prompts as fit beside them (chunked
// prefill, Agrawal et al. 2024). A text leaves when it ends, and the next comes in. Texts that
// begin alike come in one after another and compute their common beginning once. A text for which
// the cache has no block is put back and goes on later, as if nothing had happened.
class Scheduler : public Generator {
public:
    explicit Scheduler(Engine& engine, const SchedulerOptions& options = {});
    ~Scheduler() override;

    std::uint32_t context() const override { return engine_.options().context; }
    bool ends_text(TokenId token) const override;
    void submit(Request request) override;
    // What the engine or a callback throws passes through. A text whose callback threw is gone; all
    // others go on with the next step, as if they had been put back.
    bool step() override;
    std::size_t room() const override;
    const SchedulerStats& stats() const { return stats_; }

private:
    using Clock = std::chrono::steady_clock;
    struct Text;
    using TextPointer = std::unique_ptr<Text>;
    // A text's part of a step.
    struct Part {
        Text* text;  // null: it has ended since
        std::uint32_t tokens;
        std::vector<TokenId> guesses = {};
        bool last = false;  // of the tokens known so far: the next one is chosen
    };
    struct Plan {
        std::vector<Part> parts;
        std::uint32_t room;        // for further tokens
        std::uint32_t blocks = 0;  // that the parts need
        bool guessing = false;
    };

    bool submit_step();
    void collect_step();
    bool should_guess() const;
    bool plan_running(Plan& plan);
    std::size_t guesses_for(const Text& text, const Plan& plan) const;
    void admit(Plan& plan);
    bool add(Text& text, Plan& plan);
    TextPointer next_waiting();
    bool worth_waiting(const Text& text) const;
    Work work_of(Part& part) const;
    void take(const Part& part, const Plan& plan, const Outcome& outcome);
    bool take_token(Text& text, TokenId token, std::span<const float> asked);
    void end(Text& text);
    void put_back_last();
    void put_back_all() noexcept;
    void drain() noexcept;
    std::size_t waiting() const { return preferred_.size() + sorted_.size() + arrived_.size(); }
    void count_texts();

    Engine& engine_;
    SchedulerOptions options_;
    std::vector<TextPointer> running_;   // in the order they came in
    std::deque<TextPointer> preferred_;  // put back, or asked for by a text that ended
    std::deque<TextPointer> sorted_;     // by their tokens
    std::vector<TextPointer> arrived_;   // since these were sorted
    std::deque<Plan> under_way_;         // steps, the oldest first
    const Text* called_back_ = nullptr;  // the text whose callback runs
    bool refused_ = false;  // for want of blocks, one that waits, when a step was last planned
    SchedulerStats stats_;
};

}  // namespace assay
