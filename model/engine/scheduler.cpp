#include "model/engine/scheduler.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <string>

#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::size_t few_texts = 4;     // guessing is for no more
constexpr std::size_t most_guesses = 7;  // for one text
static_assert(most_guesses <= shader::most_guesses);
constexpr std::size_t looked_at = 64;    // waiting texts, for the next to come in
constexpr TokenId chosen_token[] = {chosen_before};

std::uint32_t count_of(std::span<const TokenId> tokens) {
    return static_cast<std::uint32_t>(tokens.size());
}

std::uint32_t common_beginning(std::span<const TokenId> a, std::span<const TokenId> b) {
    return static_cast<std::uint32_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
    return std::chrono::duration<double>(b - a).count();
}

}  // namespace

struct Scheduler::Text {
    Request request;
    std::vector<TokenId> tokens;            // the prompt, and what was written
    std::optional<Sequence> sequence = {};  // while it runs
    std::uint32_t written = 0;
    std::vector<TokenId> input = {};  // of a step that guesses
    GuessingCredit credit = {};
    Generation generation = {};
    std::optional<Clock::time_point> came_in = {}, first_token = {};

    // Tokens known, but not computed. None: a step under way chooses the next.
    std::uint32_t pending() const { return count_of(tokens) - sequence->length(); }
    // Whether there is one after the one that is being chosen.
    bool may_look_ahead() const { return written + 1 < request.max_new_tokens; }
};

Scheduler::Scheduler(Engine& engine, const SchedulerOptions& options)
    : engine_(engine), options_(options) {
    const std::uint32_t most = engine.options().sequences;
    options_.sequences = options.sequences == 0 ? most : std::min(options.sequences, most);
    const std::uint32_t blocks = engine.blocks().size(), block = ops::block_slots;
    if (blocks < BlockPool::blocks_for(context()))
        throw Error("KV cache: it holds " + std::to_string(blocks * block) +
                    " tokens, a text may have " + std::to_string(context()) +
                    ": give it more memory or take a shorter --context");
}

Scheduler::~Scheduler() { drain(); }

bool Scheduler::ends_text(TokenId token) const {
    return std::ranges::count(engine_.config().eos_token_ids, token) > 0;
}

void Scheduler::submit(Request request) {
    assert(!request.prompt.empty());
    if (const std::size_t needed = request.prompt.size() + request.max_new_tokens;
        needed > context())
        throw Error("context: " + std::to_string(needed) + " tokens asked for, " +
                    std::to_string(context()) + " fit");
    auto text = std::make_unique<Text>();
    text->tokens = request.prompt;
    text->request = std::move(request);
    // What it shares with the text that asks for it is at hand.
    if (called_back_)
        preferred_.push_back(std::move(text));
    else
        arrived_.push_back(std::move(text));
    count_texts();
}

std::size_t Scheduler::room() const {
    const std::size_t enough = 2ull * options_.sequences;
    return enough - std::min(enough, waiting());
}

bool Scheduler::step() try {
    const bool submitted = submit_step();
    // While the device computes, the host looks at what came of the step before.
    const bool ahead = submitted && engine_.can_look_ahead() && !under_way_.back().guessing;
    while (under_way_.size() > (ahead ? 1u : 0u)) collect_step();
    if (!running_.empty() || waiting() > 0) return true;
    while (!under_way_.empty()) collect_step();  // in which every text has ended
    return false;
} catch (...) {
    put_back_all();
    throw;
}

bool Scheduler::submit_step() {
    Plan plan;
    if (should_guess())
        while (!under_way_.empty()) collect_step();  // guesses need all tokens known
    for (bool guess = should_guess();;) {
        plan = {.parts = {}, .room = engine_.options().prefill_chunk, .guessing = guess};
        if (plan_running(plan)) break;
        if (guess) {
            guess = false;
        } else if (under_way_.empty()) {
            put_back_last();
            ++stats_.preemptions;
        } else {
            collect_step();  // which may free blocks
        }
    }
    admit(plan);
    if (plan.parts.empty()) return false;
    std::vector<Work> works;
    for (Part& part : plan.parts) works.push_back(work_of(part));
    engine_.submit(works);
    under_way_.push_back(std::move(plan));
    ++stats_.steps;
    return true;
}

// Where few texts are written, and nobody can join them, a step that checks guesses takes hardly
// longer than one that does not.
bool Scheduler::should_guess() const {
    const bool alone = waiting() == 0 || running_.size() == options_.sequences || refused_;
    return options_.speculate && !running_.empty() && running_.size() <= few_texts && alone &&
           engine_.options().choice_rows() >= 2 * running_.size() &&
           std::ranges::all_of(running_, [](auto& text) { return text->pending() <= 1; }) &&
           (options_.always_guess ||
            std::ranges::any_of(running_, [](auto& text) { return text->credit.pays(); }));
}

// Texts that write first, then prompts. False if there are too few blocks.
bool Scheduler::plan_running(Plan& plan) {
    for (const bool prompts : {false, true})
        for (auto& text : running_)
            if ((text->pending() > 1) == prompts && !add(*text, plan)) return false;
    return true;
}

// Gives the text a part in the step, if there is one for it. False if there are too few blocks.
bool Scheduler::add(Text& text, Plan& plan) {
    const std::uint32_t pending = text.pending();
    if (plan.room == 0 || (pending == 0 && !text.may_look_ahead())) return true;
    Part part{.text = &text, .tokens = std::min(std::max(pending, 1u), plan.room)};
    part.last = part.tokens >= pending;
    part.guesses = guess_next(text.tokens, guesses_for(text, plan));
    part.tokens += count_of(part.guesses);
    plan.blocks += engine_.blocks_needed(*text.sequence, part.tokens);
    if (plan.blocks > engine_.blocks().available()) return false;
    plan.room -= part.tokens;
    plan.parts.push_back(std::move(part));
    return true;
}

// The most that a text may have.
std::size_t Scheduler::guesses_for(const Text& text, const Plan& plan) const {
    if (!plan.guessing || text.pending() != 1 || !text.may_look_ahead()) return 0;
    if (!options_.always_guess && !text.credit.pays()) return 0;
    const std::size_t each = engine_.options().choice_rows() / running_.size() - 1;
    return std::min<std::size_t>(
        {most_guesses, each, plan.room - 1, text.request.max_new_tokens - text.written - 1});
}

// Lets texts in that wait, as long as there are tokens, sequences and blocks for them.
void Scheduler::admit(Plan& plan) {
    refused_ = false;
    while (plan.room > 0 && running_.size() < options_.sequences) {
        TextPointer next = next_waiting();
        if (!next) return;
        // For all of it and a little more, lest it be put back at once; and the others write on.
        const std::size_t needed =
            plan.blocks + engine_.blocks_to_begin(next->tokens, count_of(next->tokens) + 1) +
            running_.size();
        if (needed > engine_.blocks().available() && !running_.empty()) {
            preferred_.push_front(std::move(next));
            refused_ = true;
            return;
        }
        Text& text = *running_.emplace_back(std::move(next));
        const std::uint32_t cached = text.sequence.emplace(engine_).adopt(text.tokens);
        if (!text.came_in) {
            text.came_in = Clock::now();
            text.generation.cached_tokens = cached;
            stats_.prompt_tokens += text.tokens.size();
            stats_.cached_tokens += cached;
        }
        add(text, plan);
    }
}

Scheduler::TextPointer Scheduler::next_waiting() {
    const auto pop = [](auto& queue, std::size_t i) {
        TextPointer text = std::move(queue[i]);
        queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(i));
        return text;
    };
    if (!preferred_.empty()) return pop(preferred_, 0);
    if (sorted_.empty()) {
        std::ranges::stable_sort(
            arrived_, {}, [](auto& text) -> auto& { return text->tokens; });
        for (auto& text : arrived_) sorted_.push_back(std::move(text));
        arrived_.clear();
    }
    for (std::size_t i = 0; i < std::min(sorted_.size(), looked_at); ++i)
        if (!worth_waiting(*sorted_[i])) return pop(sorted_, i);
    return nullptr;
}

// Whether a running text is about to compute blocks that this one begins with, too.
bool Scheduler::worth_waiting(const Text& text) const {
    return std::ranges::any_of(running_, [&](auto& other) {
        return other->pending() > 0 && common_beginning(text.tokens, other->tokens) >=
                                           other->sequence->length() + ops::block_slots;
    });
}

Work Scheduler::work_of(Part& part) const {
    Text& text = *part.text;
    std::span<const TokenId> tokens = chosen_token;
    if (text.pending() > 0) tokens = std::span(text.tokens).subspan(text.sequence->length());
    if (!part.guesses.empty()) {
        text.input.assign(tokens.begin(), tokens.end());
        text.input.insert(text.input.end(), part.guesses.begin(), part.guesses.end());
        tokens = text.input;
    }
    return {.sequence = &*text.sequence,
            .tokens = tokens.first(part.tokens),
            .sample = part.last && text.request.max_new_tokens > 0,
            .guesses = count_of(part.guesses),
            .how = text.request.how,
            .draw = text.request.draw,
            .asked = part.last ? std::span<const TokenId>(text.request.asked)
                               : std::span<const TokenId>()};
}

void Scheduler::collect_step() {
    const auto outcomes = engine_.collect();
    Plan plan = std::move(under_way_.front());
    under_way_.pop_front();
    for (std::size_t i = 0; i < plan.parts.size(); ++i)
        if (plan.parts[i].text) take(plan.parts[i], plan, outcomes[i]);
    count_texts();
}

void Scheduler::take(const Part& part, const Plan& plan, const Outcome& outcome) {
    Text& text = *part.text;
    if (!part.last) return;
    if (text.request.max_new_tokens == 0) {
        text.generation.asked = outcome.asked;
        end(text);
        return;
    }
    const std::size_t asked = text.request.asked.size();
    const std::uint64_t accepted_before = stats_.accepted_tokens;
    stats_.guessed_tokens += part.guesses.size();
    for (std::size_t i = 0; i < outcome.tokens.size(); ++i) {
        if (i > 0) ++stats_.accepted_tokens;
        if (!take_token(text, outcome.tokens[i],
                        std::span(outcome.asked).subspan(i * asked, asked))) {
            end(text);
            return;
        }
        if (i < part.guesses.size() && outcome.tokens[i] != part.guesses[i]) break;
    }
    if (plan.guessing && text.credit.pays())
        text.credit.guessed(part.guesses.size(), stats_.accepted_tokens - accepted_before,
                            plan.parts.size());
    else
        text.credit.rested();
    // What was computed for wrong guesses is dropped.
    if (!part.guesses.empty()) text.sequence->truncate(count_of(text.tokens) - 1);
}

// False if the text ends with this token.
bool Scheduler::take_token(Text& text, TokenId token, std::span<const float> asked) {
    if (!text.first_token) text.first_token = Clock::now();
    text.tokens.push_back(token);
    ++text.written;
    ++stats_.written_tokens;
    called_back_ = &text;
    const bool goes_on = !text.request.on_token || text.request.on_token(token, asked);
    called_back_ = nullptr;
    return goes_on && (text.request.endless || !ends_text(token)) &&
           text.written < text.request.max_new_tokens;
}

void Scheduler::end(Text& text) {
    for (Plan& plan : under_way_)
        for (Part& part : plan.parts)
            if (part.text == &text) part.text = nullptr;
    const auto place = std::ranges::find(running_, &text, &TextPointer::get);
    const TextPointer ended = std::move(*place);
    running_.erase(place);
    refused_ = false;
    const auto now = Clock::now();
    const auto first = ended->first_token.value_or(now);
    ended->generation.prefill_seconds = seconds_between(*ended->came_in, first);
    ended->generation.decode_seconds = seconds_between(first, now);
    called_back_ = ended.get();
    if (ended->request.on_end) ended->request.on_end(ended->generation);
    called_back_ = nullptr;
}

// The text that came in last gives its blocks to the others.
void Scheduler::put_back_last() {
    TextPointer text = std::move(running_.back());
    running_.pop_back();
    text->sequence.reset();
    preferred_.push_front(std::move(text));
}

// Whatever was under way when an exception came.
void Scheduler::put_back_all() noexcept {
    drain();
    std::erase_if(running_, [&](auto& text) { return text.get() == called_back_; });
    called_back_ = nullptr;
    while (!running_.empty()) put_back_last();
    count_texts();
}

// The engine has no steps of this scheduler any more.
void Scheduler::drain() noexcept {
    under_way_.clear();
    try {
        while (engine_.steps_under_way() > 0) engine_.collect();
    } catch (...) {  // it has undone them
    }
}

void Scheduler::count_texts() {
    stats_.running = running_.size();
    stats_.waiting = waiting();
    stats_.kv_blocks = engine_.blocks().size();
    stats_.kv_blocks_free = engine_.blocks().available();
}

}  // namespace assay
