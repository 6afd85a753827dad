#include "grader/pairs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <tuple>
#include <unordered_map>

#include "model/engine/random.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr double rounding = 1e-9;  // of the difference of two scores

std::uint64_t content_of(const Item& item) {
    const std::string hex = item_hash(item);
    std::uint64_t content = 0;
    std::from_chars(hex.data(), hex.data() + hex.size(), content, 16);
    return content;
}

// What the responses to be compared have in common.
std::uint64_t question_of(Item item) {
    item.response.clear();
    return content_of(item);
}

std::uint64_t draw(std::uint64_t seed, std::uint64_t first, std::uint64_t second) {
    const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
    const auto words = philox({low(first), low(first >> 32), low(second), low(second >> 32)},
                              {low(seed), low(seed >> 32)});
    return std::uint64_t{words[0]} << 32 | words[1];
}

// The responses to one instruction.
struct Question {
    std::uint64_t content;
    std::vector<std::size_t> responses;
};

// In the order in which they first appear.
std::vector<Question> questions_of(std::span<const ScoredResponse> responses) {
    std::vector<Question> questions;
    std::unordered_map<std::uint64_t, std::size_t> by_content;
    for (std::size_t i = 0; i < responses.size(); ++i) {
        const std::uint64_t content = question_of(responses[i].item);
        const auto [place, is_new] = by_content.emplace(content, questions.size());
        if (is_new) questions.push_back({content, {}});
        questions[place->second].responses.push_back(i);
    }
    return questions;
}

class Pairer {
public:
    Pairer(std::span<const ScoredResponse> responses, const PairingOptions& options)
        : responses_(responses), options_(options) {}

    Pairing pair_up() && {
        for (const Question& question : questions_of(responses_)) {
            ++pairing_.instructions;
            std::vector<Candidate> candidates = candidates_of(question);
            std::ranges::sort(candidates, {}, &Candidate::key);  // as the seed draws them
            if (options_.limit > 0 && candidates.size() > options_.limit) {
                pairing_.above_limit += candidates.size() - options_.limit;
                candidates.resize(options_.limit);
            }
            place(question, candidates);
        }
        return std::move(pairing_);
    }

private:
    // Two responses: the better one first, and of a tie the one that the seed shows first.
    struct Candidate {
        std::size_t better, worse;
        bool tie;
        // How the seed orders them; the ids tell apart what it draws for equal texts.
        std::tuple<std::uint64_t, std::string_view, std::string_view> key;
    };

    std::vector<Candidate> candidates_of(const Question& question) {
        if (question.responses.size() > most_responses)
            throw Error("the instruction of item " +
                        responses_[question.responses.front()].item.id.text + " has " +
                        std::to_string(question.responses.size()) + " responses, at most " +
                        std::to_string(most_responses) + " are paired");
        std::vector<std::uint64_t> contents;
        for (const std::size_t i : question.responses)
            contents.push_back(content_of(responses_[i].item));
        std::vector<Candidate> candidates;
        for (std::size_t i = 0; i < contents.size(); ++i)
            for (std::size_t j = i + 1; j < contents.size(); ++j)
                if (makes_pair(question.responses[i], question.responses[j]))
                    candidates.push_back(candidate({question.responses[i], contents[i]},
                                                   {question.responses[j], contents[j]}));
        return candidates;
    }

    bool makes_pair(std::size_t i, std::size_t j) {
        const ScoredResponse &one = responses_[i], &other = responses_[j];
        const double gap = std::abs(one.score - other.score);
        const bool tie = gap <= rounding;
        const bool same_text = one.item.response == other.item.response;
        const bool near = !tie && gap < options_.least_gap - rounding;
        const bool dropped_tie = tie && options_.ties == Ties::drop;
        pairing_.same_text += same_text;
        pairing_.ties += !same_text && dropped_tie;
        pairing_.near += !same_text && near;
        return !same_text && !dropped_tie && !near;
    }

    struct Content {
        std::size_t response;
        std::uint64_t hash;
    };

    Candidate candidate(Content one, Content other) const {
        if (other.hash < one.hash) std::swap(one, other);
        const std::uint64_t drawn = draw(options_.seed, one.hash, other.hash);
        const double gap = responses_[one.response].score - responses_[other.response].score;
        const bool tie = std::abs(gap) <= rounding;
        const bool exchanged = tie ? drawn % 2 == 0 : gap < 0;
        return {.better = exchanged ? other.response : one.response,
                .worse = exchanged ? one.response : other.response,
                .tie = tie,
                .key = {drawn, responses_[one.response].item.id.text,
                        responses_[other.response].item.id.text}};
    }

    // Of the pairs with a better one, every other has it as A.
    void place(const Question& question, std::span<const Candidate> candidates) {
        bool better_is_a = draw(options_.seed, question.content, 0) % 2 == 0;
        const auto first = static_cast<std::ptrdiff_t>(pairing_.pairs.size());
        for (const Candidate& pair : candidates) {
            if (pair.tie) {
                pairing_.pairs.push_back({pair.better, pair.worse, '='});
                continue;
            }
            pairing_.pairs.push_back(better_is_a ? ResponsePair{pair.better, pair.worse, 'A'}
                                                 : ResponsePair{pair.worse, pair.better, 'B'});
            better_is_a = !better_is_a;
        }
        std::sort(pairing_.pairs.begin() + first, pairing_.pairs.end(),
                  [](const ResponsePair& x, const ResponsePair& y) {
                      return std::minmax(x.a, x.b) < std::minmax(y.a, y.b);
                  });
    }

    std::span<const ScoredResponse> responses_;
    PairingOptions options_;
    Pairing pairing_;
};

}  // namespace

Pairing pair_up(std::span<const ScoredResponse> responses, const PairingOptions& options) {
    return Pairer(responses, options).pair_up();
}

Item pair_item(std::span<const ScoredResponse> responses, const ResponsePair& pair) {
    const Item &a = responses[pair.a].item, &b = responses[pair.b].item;
    Item item = a;
    item.id = {a.id.text + "+" + b.id.text};
    item.mode = Mode::relative;
    item.response_b = b.response;
    item.label = Label{.scores = {}, .preferred = pair.preferred};
    if (a.group != b.group) item.group.reset();
    item.generator_b = b.generator;
    return item;
}

}  // namespace assay
