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

Scheduler::~Scheduler() = default;

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
    if (calling_back_)
        first_.push_back(std::move(text));  // what it shares with the text that ended is at hand
    else
        arrived_.push_back(std::move(text));
    count_texts();
}

std::size_t Scheduler::room() const {
    const std::size_t enough = 2ull * options_.sequences;
    return enough - std::min(enough, waiting());
}

bool Scheduler::step() {
    const bool submitted = submit_step();
    // While the device computes, the host looks at what came of the step before.
    const bool ahead = submitted && engine_.can_look_ahead() && !under_way_.back().guessing;
    while (under_way_.size() > (ahead ? 1u : 0u)) collect_step();
    if (!running_.empty() || waiting() > 0) return true;
    while (!under_way_.empty()) collect_step();  // in which every text has ended
    return false;
}

bool Scheduler::submit_step() {
    Plan plan;
    const bool guess = should_guess() && guessing_rate_.pays();
    while (guess && !under_way_.empty()) collect_step();  // guesses need all tokens known
    for (;;) {
        plan = {.parts = {}, .room = engine_.options().prefill_chunk, .guessing = guess};
        if (plan_running(plan)) break;
        if (under_way_.empty())
            put_back_last();
        else
            collect_step();  // which may free blocks
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

// Where few texts are written, a step that checks guesses takes hardly longer than one that does
// not.
bool Scheduler::should_guess() const {
    return options_.speculate && !running_.empty() && running_.size() <= few_texts &&
           waiting() == 0 && options_.sequences >= 2 * running_.size() &&
           std::ranges::all_of(running_, [](auto& text) {
               return text->pending() <= 1 && text->request.max_new_tokens > 0;
           });
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
    if (plan.guessing && pending == 1) {
        const std::size_t each = options_.sequences / running_.size() - 1;
        part.guesses = guess_next(
            text.tokens, std::min<std::size_t>({most_guesses, each, plan.room - 1,
                                                text.request.max_new_tokens - text.written - 1}));
        part.tokens += count_of(part.guesses);
    }
    plan.blocks += engine_.blocks_needed(*text.sequence, part.tokens);
    if (plan.blocks > engine_.blocks().available()) return false;
    plan.room -= part.tokens;
    plan.parts.push_back(std::move(part));
    return true;
}

// Lets texts in that wait, as long as there are tokens, slots and blocks for them.
void Scheduler::admit(Plan& plan) {
    while (plan.room > 0 && running_.size() < options_.sequences) {
        TextPointer text = next_waiting();
        if (!text) return;
        text->sequence.emplace(engine_);
        const std::uint32_t cached = text->sequence->adopt(text->tokens);
        // For all of it and a little more, lest it be put back at once; and the others write on.
        const std::size_t needed = plan.blocks +
                                   engine_.blocks_needed(*text->sequence, text->pending() + 1) +
                                   running_.size();
        if (needed > engine_.blocks().available() && !running_.empty()) {
            text->sequence.reset();
            first_.push_front(std::move(text));
            return;
        }
        if (!text->came_in) {
            text->came_in = Clock::now();
            text->generation.cached_tokens = cached;
            stats_.prompt_tokens += text->tokens.size();
            stats_.cached_tokens += cached;
        }
        running_.push_back(std::move(text));
        add(*running_.back(), plan);
    }
}

Scheduler::TextPointer Scheduler::next_waiting() {
    const auto pop = [](auto& queue, std::size_t i) {
        TextPointer text = std::move(queue[i]);
        queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(i));
        return text;
    };
    if (!first_.empty()) return pop(first_, 0);
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
    const std::uint64_t before = stats_.written_tokens;
    for (std::size_t i = 0; i < plan.parts.size(); ++i)
        if (plan.parts[i].text) take(plan.parts[i], outcomes[i]);
    const auto now = Clock::now();
    if (plan.parts.size() <= few_texts &&
        std::ranges::all_of(plan.parts, [](auto& part) { return part.last; }))
        guessing_rate_.add(plan.guessing, seconds_between(last_collected_, now),
                           stats_.written_tokens - before);
    last_collected_ = now;
    count_texts();
}

void Scheduler::take(Part& part, const Outcome& outcome) {
    Text& text = *part.text;
    if (!part.last) return;
    if (text.request.max_new_tokens == 0) {
        text.generation.asked = outcome.asked;
        end(text);
        return;
    }
    const std::size_t asked = text.request.asked.size();
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
    // What was computed for wrong guesses is dropped.
    if (!part.guesses.empty()) text.sequence->truncate(count_of(text.tokens) - 1);
}

// False if the text ends with this token.
bool Scheduler::take_token(Text& text, TokenId token, std::span<const float> asked) {
    if (!text.first_token) text.first_token = Clock::now();
    text.tokens.push_back(token);
    ++text.written;
    ++stats_.written_tokens;
    calling_back_ = true;
    const bool goes_on = !text.request.on_token || text.request.on_token(token, asked);
    calling_back_ = false;
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
    const auto now = Clock::now();
    const auto first = ended->first_token.value_or(now);
    ended->generation.prefill_seconds = seconds_between(*ended->came_in, first);
    ended->generation.decode_seconds = seconds_between(first, now);
    calling_back_ = true;
    if (ended->request.on_end) ended->request.on_end(ended->generation);
    calling_back_ = false;
}

// The text that came in last gives its blocks to the others.
void Scheduler::put_back_last() {
    TextPointer text = std::move(running_.back());
    running_.pop_back();
    text->sequence.reset();
    first_.push_front(std::move(text));
    ++stats_.preemptions;
}

void Scheduler::count_texts() {
    stats_.running = running_.size();
    stats_.waiting = waiting();
    stats_.kv_blocks = engine_.blocks().size();
    stats_.kv_blocks_free = engine_.blocks().available();
}

}  // namespace assay
