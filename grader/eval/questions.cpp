#include "grader/eval/questions.h"

#include <utility>

#include "grader/unicode.h"

namespace assay::eval {
namespace {

// str.strip() of Python.
std::string stripped(const std::string& text) {
    const std::u32string points = decode_utf8(text);
    std::size_t begin = 0, end = points.size();
    while (begin < end && is_space(points[begin])) ++begin;
    while (end > begin && is_space(points[end - 1])) --end;
    const std::size_t first = utf8_prefix_bytes(text, begin);
    return text.substr(first, utf8_prefix_bytes(text, end) - first);
}

// A section of a prompt as the published code reads it, which takes every ### for a heading.
std::string section(const std::string& text) { return stripped(text.substr(0, text.find("###"))); }

std::string question_id(const Item& pair, Side side, std::uint32_t draw) {
    std::string id = pair.id.text + (side == Side::chosen ? ".chosen" : ".rejected");
    return draw == 0 ? id : id + "#" + std::to_string(draw);
}

}  // namespace

bool is_tie(const Item& record) { return record.label && record.label->preferred == '='; }

bool chosen_is_a(const Item& record) { return !record.label || record.label->preferred != 'B'; }

Item question(const Benchmark& benchmark, const Item& record, Protocol protocol, bool repaired) {
    Item item = record;
    if (repaired) return item;
    if (benchmark.blank_rubric) item.rubric.text.insert(0, "\n");
    if (protocol != Protocol::r2r) return item;
    item.response = stripped(record.response);
    item.response_b = stripped(record.response_b);
    if (!benchmark.blank_rubric) {
        item.instruction = section(record.instruction);
        item.response = section(record.response);
        item.response_b = section(record.response_b);
        item.rubric.text = stripped(item.rubric.text);
    }
    item.rubric.text.resize(std::min(item.rubric.text.find('\n'), item.rubric.text.size()));
    item.rubric.criteria_only = true;
    return item;
}

Item question(const Benchmark& benchmark, const Item& pair, Side side, std::uint32_t draw,
              bool repaired) {
    Item item = question(benchmark, pair, Protocol::a2r, repaired);
    item.id = {question_id(pair, side, draw), false};
    item.mode = Mode::absolute;
    if ((side == Side::chosen) != chosen_is_a(pair)) {
        item.response = pair.response_b;
        item.generator = pair.generator_b;
    }
    item.response_b.clear();
    item.generator_b.clear();
    item.label.reset();
    item.first_sample = draw;
    return item;
}

std::vector<std::string_view> quirks(const Benchmark& benchmark) {
    if (benchmark.mode == Mode::absolute) return {};
    if (benchmark.blank_rubric)
        return {
            "r2r: the rubric is empty, as it begins with an empty line and its first line is "
            "shown",
            "a2r: prompts are not stripped, unlike those of the other benchmarks"};
    return {"r2r: texts end where \"###\" stands in them", "r2r: the rubric is its first line"};
}

const Profile& profile_for(const Benchmark& benchmark, const Profile& profile, bool repaired) {
    static const Profile& paper = profile_named("paper-eval");
    // A template loses its last character where the profile strips it.
    static const std::string unstripped = "\n" + std::string(paper.texts[0].user) + " ";
    static const Profile blank = [] {
        Profile changed = paper;
        changed.texts[0].user = unstripped;
        return changed;
    }();
    static const Profile two_lines = [] {
        Profile changed = paper;
        changed.before_user = "\n";
        return changed;
    }();
    if (&profile != &paper) return profile;
    if (benchmark.system_line) return two_lines;
    return benchmark.blank_rubric && !repaired ? blank : profile;
}

Questions::Questions(const Benchmark& benchmark, std::span<const Item> records,
                     QuestionOptions options)
    : benchmark_(benchmark), records_(records), options_(std::move(options)) {
    for (const Protocol protocol : options_.protocols)
        for (std::size_t i = 0; i < records_.size(); ++i)
            if (protocol == Protocol::a2r)
                score(i, 0);
            else
                add(question(benchmark_, records_[i], protocol, options_.repaired));
}

void Questions::add(Item question) {
    waiting_.push_back(std::move(question));
    ++count_;
}

// Asks for a score of both responses.
void Questions::score(std::size_t record, std::uint32_t draw) {
    verdicts_[record] = {};
    for (const Side side : {Side::chosen, Side::rejected}) {
        Item item = question(benchmark_, records_[record], side, draw, options_.repaired);
        asked_[item.id.text] = {record, draw, side};
        add(std::move(item));
    }
}

std::optional<Item> Questions::next() {
    if (waiting_.empty()) return std::nullopt;
    std::optional<Item> first = std::move(waiting_.front());
    waiting_.pop_front();
    return first;
}

void Questions::answered(const Item& question, char verdict) {
    const auto asked = asked_.find(question.id.text);
    if (asked == asked_.end()) return;
    const auto [record, draw, side] = asked->second;
    asked_.erase(asked);
    auto& [chosen, rejected] = verdicts_[record];
    (side == Side::chosen ? chosen : rejected) = verdict;
    if (!chosen || !rejected) return;
    const bool alike = *chosen == *rejected && *chosen != 0;
    const bool again = alike && !is_tie(records_[record]) && draw + 1 < options_.draws;
    verdicts_.erase(record);
    if (again) score(record, draw + 1);
}

}  // namespace assay::eval
