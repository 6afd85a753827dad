#include "grader/eval/outcomes.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "grader/statistics/values.h"
#include "runtime/error.h"

namespace assay::eval {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const Result& result, const std::string& what) {
    throw Error("line " + std::to_string(result.line) + ": " + what);
}

// The grades of single texts that a record puts together.
void for_each_text(const Json& record, const std::function<void(const Json&)>& visit) {
    if (const auto orders = record.find("orders"); orders != record.end()) {
        for (const auto& order : *orders) for_each_text(order, visit);
    } else if (const auto samples = record.find("samples"); samples != record.end()) {
        for (const Json& sample : *samples) visit(sample);
    } else {
        visit(record);
    }
}

// The answers to questions.
class Answers {
public:
    Answers(std::span<const Result> results, QuestionCounts& counts) : counts_(counts) {
        for (const Result& result : results) results_[key(result)] = &result;
    }

    // Null if there is none with a verdict.
    const Result* find(const Item& question) {
        ++counts_.asked;
        const auto found = results_.find({question.id.text, item_hash(question)});
        if (found == results_.end()) {
            ++counts_.missing;
            return nullptr;
        }
        if (!found->second->scored()) {
            ++counts_.unscored;
            return nullptr;
        }
        for_each_text(found->second->json, [&](const Json& text) { count(text); });
        return found->second;
    }

private:
    using Key = std::pair<std::string, std::string>;  // id and hash

    static Key key(const Result& result) { return {result.id, result.item_hash}; }

    void count(const Json& text) {
        ++counts_.texts;
        const auto parse = text.find("parse"), redraws = text.find("redraws");
        counts_.forced += parse != text.end() && *parse == "forced";
        if (redraws != text.end() && redraws->is_number_unsigned())
            counts_.redrawn += redraws->get<std::size_t>();
    }

    std::map<Key, const Result*> results_;
    QuestionCounts& counts_;
};

std::optional<Scored> scored(const Result* result) {
    if (!result) return std::nullopt;
    Scored scored{.scores = {}, .expected = result->number("expected_score").value_or(0)};
    for_each_text(result->json, [&](const Json& text) {
        const auto score = text.find("score");
        if (score == text.end() || !score->is_number())
            fail(*result, "a text without a number as its score");
        scored.scores.push_back(score->get<double>());
    });
    if (scored.scores.empty()) fail(*result, "samples: none found, at least 1 expected");
    return scored;
}

std::optional<Ranked> ranked(const Result* result) {
    if (!result) return std::nullopt;
    Ranked ranked{.verdict = result->facts.verdict,
                  .overall = result->facts.verdict,
                  .consistent = result->facts.consistent};
    if (const Json* given = result->find("orders.ab.verdict"); given && *given == "A")
        ranked.verdict = 'A';
    else if (given)
        ranked.verdict = 'B';
    return ranked;
}

std::optional<std::array<Scored, 2>> scored_pair(const Benchmark& benchmark, const Item& pair,
                                                 const QuestionOptions& options, Answers& answers,
                                                 QuestionCounts& counts) {
    const bool tie = is_tie(pair);
    for (std::uint32_t draw = 0;; ++draw) {
        const auto side = [&](Side which) {
            return scored(answers.find(question(benchmark, pair, which, draw, options.repaired)));
        };
        const auto chosen = side(Side::chosen), rejected = side(Side::rejected);
        if (!chosen || !rejected) return std::nullopt;
        const bool alike = chosen->mean() == rejected->mean();
        const bool last = draw + 1 == options.draws;
        counts.alike += alike && !tie && draw == 0;
        counts.at_last += alike && !tie && last;
        if (!alike || tie || last) return {{*chosen, *rejected}};
    }
}

}  // namespace

double Scored::mean() const { return assay::mean(scores); }

Outcomes outcomes_of(const Benchmark& benchmark, std::span<const Item> records,
                     const QuestionOptions& options, std::span<const Result> results) {
    Outcomes outcomes;
    Answers answers(results, outcomes.counts);
    const auto asked = [&](Protocol protocol) {
        return std::ranges::find(options.protocols, protocol) != options.protocols.end();
    };
    for (const Item& record : records) {
        const auto answer = [&](Protocol protocol) {
            return answers.find(question(benchmark, record, protocol, options.repaired));
        };
        Outcome outcome;
        if (asked(Protocol::a2a)) outcome.score = scored(answer(Protocol::a2a));
        if (asked(Protocol::a2r))
            outcome.scores = scored_pair(benchmark, record, options, answers, outcomes.counts);
        if (asked(Protocol::r2r)) outcome.rank = ranked(answer(Protocol::r2r));
        outcomes.of_records.push_back(std::move(outcome));
    }
    return outcomes;
}

}  // namespace assay::eval
