#include "grader/summary.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "grader/asking.h"
#include "grader/stopwatch.h"
#include "grader/verdict.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
double ratio(std::uint64_t part, std::uint64_t whole) {
    return ratio(static_cast<double>(part), static_cast<double>(whole));
}

// Three digits, or all before the point.
std::string number(double value) {
    char text[32];
    const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    return text;
}

std::string percent(double share) {
    char text[16];
    std::snprintf(text, sizeof text, "%.0f %%", 100 * share);
    return text;
}

}  // namespace

void Summary::count(const RecordFacts& facts) {
    ++(facts.scored() ? graded_ : unscored_);
    forced_ += facts.forced;
    truncated_ += facts.truncated;
    longer_than_trained_ += facts.longer_than_trained;
    if (facts.scored()) ++verdicts_[facts.verdict];
    if (!facts.consistent) return;
    ++pairs_;
    consistent_ += *facts.consistent;
}

void Summary::add(const RecordFacts& facts) {
    count(facts);
    graded_now_ += facts.scored();
    prompt_tokens_ += facts.prompt_tokens;
    cached_tokens_ += facts.cached_tokens;
    generated_tokens_ += facts.generated_tokens;
}

void Summary::add_before(const RecordFacts& facts) {
    count(facts);
    ++before_;
}

std::string Summary::text(const RunFigures& run) const {
    std::string text = "graded " + std::to_string(graded_) + ", unscored " +
                       std::to_string(unscored_) + ", forced " + std::to_string(forced_);
    if (before_ > 0) text += " (" + std::to_string(before_) + " of them before this run)";
    if (!verdicts_.empty()) {
        std::string counts;
        for (const auto& [verdict, count] : verdicts_)
            counts += (counts.empty() ? "" : ", ") + std::string(1, verdict) + ": " +
                      std::to_string(count);
        text += "\nverdicts " + counts;
        if (pairs_ > 0)
            text += "; " + std::to_string(consistent_) + " of " + std::to_string(pairs_) +
                    " pairs the same in both orders";
    }
    if (truncated_ > 0)
        text += "\n" + std::to_string(truncated_) +
                " truncated: the judge did not see all of them (\"truncated\" in their records)";
    if (longer_than_trained_ > 0)
        text += "\n" + std::to_string(longer_than_trained_) + " with prompts of more than " +
                std::to_string(trained_tokens) + " tokens, which judges are not trained on";
    if (items_now() == 0) return text;
    const auto per_second = [&](auto count) {
        return number(ratio(static_cast<double>(count), run.seconds));
    };
    text += "\n" + duration_text(run.seconds) + ": " + per_second(items_now()) + " items/s, " +
            per_second(prompt_tokens_) + " + " + per_second(generated_tokens_) +
            " tokens/s read and written (" + percent(ratio(cached_tokens_, prompt_tokens_)) +
            " of the read ones from the cache)";
    if (graded_now_ > 0) {
        const auto verdicts = static_cast<double>(graded_now_);
        text += ", " + number(run.seconds / verdicts) + " s";
        if (run.joules)
            text += " and " + number(*run.joules / verdicts) + " J (" + run.energy_source + ")";
        text += " per verdict";
    }
    if (run.preemptions > 0)
        text += "\n" + std::to_string(run.preemptions) +
                " times a text gave its memory to others and was read again";
    if (run.guessed_tokens > 0)
        text += "\n" + percent(ratio(run.accepted_tokens, run.guessed_tokens)) +
                " of the guessed tokens were right";
    return text;
}

Json Summary::json(const RunFigures& run) const {
    Json verdicts = Json::object();
    for (const auto& [verdict, count] : verdicts_) verdicts[std::string(1, verdict)] = count;
    const auto per_second = [&](std::uint64_t count) {
        return ratio(static_cast<double>(count), run.seconds);
    };
    const auto per_verdict = [&](std::optional<double> total) -> Json {
        if (!total || graded_now_ == 0) return nullptr;
        return *total / static_cast<double>(graded_now_);
    };
    return {{"items",
             {{"graded", graded_},
              {"unscored", unscored_},
              {"forced", forced_},
              {"truncated", truncated_},
              {"longer_than_trained", longer_than_trained_},
              {"before_this_run", before_}}},
            {"verdicts", verdicts},
            {"pairs_in_both_orders", {{"count", pairs_}, {"consistent", consistent_}}},
            {"this_run",
             {{"seconds", run.seconds},
              {"items_per_second", per_second(items_now())},
              {"prompt_tokens", prompt_tokens_},
              {"cached_tokens", cached_tokens_},
              {"generated_tokens", generated_tokens_},
              {"prompt_tokens_per_second", per_second(prompt_tokens_)},
              {"generated_tokens_per_second", per_second(generated_tokens_)},
              {"cache_hit_rate", ratio(cached_tokens_, prompt_tokens_)},
              {"seconds_per_verdict", per_verdict(run.seconds)},
              {"joules", run.joules ? Json(*run.joules) : Json()},
              {"joules_per_verdict", per_verdict(run.joules)},
              {"energy_source", run.joules ? Json(run.energy_source) : Json()},
              {"preemptions", run.preemptions},
              {"guessed_tokens", run.guessed_tokens},
              {"accepted_tokens", run.accepted_tokens}}}};
}

}  // namespace assay
