#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/grade_items.h"
#include "grader/cli/grade_options.h"
#include "grader/cli/items.h"
#include "grader/cli/output_file.h"
#include "grader/cli/quantised.h"
#include "grader/cli/rank_report.h"
#include "grader/cli/run_header.h"
#include "grader/cli/terminal.h"
#include "grader/datasets/open.h"
#include "grader/journal.h"
#include "grader/ranking/comparisons.h"
#include "grader/ranking/ranking.h"
#include "grader/results.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

constexpr std::uint64_t most_rounds = 1000;

struct RankOptions {
    GradeOptions grade;  // json: of the ranking
    std::string records;
    TournamentOptions tournament;
    Wins wins = Wins::probabilities;
    bool json = false, seed_given = false;
};

void check(const RankOptions& options) {
    if (options.grade.input.empty()) throw UsageError("nothing to rank: give -i FILE");
    const bool judged = !options.grade.run.model.empty();
    if (judged && !options.records.empty())
        throw UsageError("--model and --records exclude each other");
    if (!judged && options.records.empty())
        throw UsageError("give --model and -o FILE, or --records with what was judged before");
    if (judged && !options.grade.to_file())
        throw UsageError("comparisons are kept in a file: give -o FILE");
    if (!judged && !options.grade.output.empty())
        throw UsageError("--records and -o exclude each other: nothing is judged");
    if (options.tournament.rounds > 0 && options.tournament.schedule != Schedule::swiss)
        throw UsageError("--rounds serves --schedule swiss");
    check(options.grade);
}

// What is wrong with lines, then the pairs that contests need.
class PairSource : public ItemSource {
public:
    PairSource(const Contests& contests, const RankOptions& options)
        : bad_(contests.bad),
          comparisons_(contests.contests, options.tournament, options.wins),
          count_(count_of(contests, options.tournament.schedule)) {}

    std::optional<std::variant<Item, BadItem>> next() override {
        if (next_bad_ < bad_.size()) return bad_[next_bad_++];
        return comparisons_.next();
    }
    bool at_hand() override { return next_bad_ < bad_.size() || comparisons_.at_hand(); }
    std::optional<std::size_t> count() const override { return count_; }

    void put(const Item& item, const RecordFacts& facts) { comparisons_.put(item.id, facts); }

private:
    static std::optional<std::size_t> count_of(const Contests& contests, Schedule schedule) {
        if (schedule == Schedule::swiss) return std::nullopt;
        std::size_t count = contests.bad.size();
        for (const Contest& contest : contests.contests)
            count += contest.contestants.size() * (contest.contestants.size() - 1) / 2;
        return count;
    }

    const std::vector<BadItem>& bad_;
    std::size_t next_bad_ = 0;
    Comparisons comparisons_;
    std::optional<std::size_t> count_;
};

int judge_pairs(const RankOptions& options, const Contests& contests) {
    PairSource pairs(contests, options);
    LoadedJudge judge(options.grade.run, options.grade.trace);
    const int code =
        grade_items(judge, options.grade, pairs,
                    {.grading = grader_options(options.grade, judge.checkpoint()),
                     .on_graded = [&](const Item& item, std::size_t, const RecordFacts& facts) {
                         pairs.put(item, facts);
                     }});
    judge.finish();
    return code;
}

Contests open_contests(const GradeOptions& options) {
    const ItemDefaults defaults = defaults_of(options.items);
    if (options.input == "-") return read_contests(std::cin, "standard input", defaults);
    std::ifstream file = open_file(options.input);
    return read_contests(file, options.input, defaults);
}

// Without a judge, lines that are no contests are told to people instead of to a file.
int tell_bad(const Contests& contests) {
    for (const BadItem& bad : contests.bad)
        std::fprintf(stderr, "assay: %s\n", harmless(bad.what()).c_str());
    return contests.bad.empty() ? exit_code::done : exit_code::unscored_items;
}

// Names the items that nothing is known of. Throws an Error if no record is of any item.
int tell_unknown(const Ranking& ranking, const RankOptions& options) {
    const auto unknown = ranking.without_games();
    const std::size_t all = ranking.contests.size();
    if (all > 0 && unknown.size() == all && ranking.unjudged() == 0)
        throw Error(options.records + ": no comparison of " +
                    (all == 1 ? "the item" : "any of the " + std::to_string(all) + " items") +
                    " in " + options.grade.input);
    for (const std::size_t i : unknown)
        std::fprintf(stderr, "assay: %s: no comparison with a verdict, so no ranking\n",
                     harmless(ranking.contests[i].question.id.text).c_str());
    return unknown.empty() ? exit_code::done : exit_code::unscored_items;
}

// Of the bootstrap. Without a judge it is that of the run that made the records, unless another is
// asked for; records that were put together by hand may not tell.
std::uint64_t seed_of(const RankOptions& options) {
    if (options.records.empty() || options.seed_given || !is_journal(options.records))
        return options.grade.seed;
    return RunHeader(options.records).value("seed", options.grade.seed);
}

void write_best(const Ranking& ranking, ReportFile& file) {
    std::string lines;
    for (std::size_t i = 0; i < ranking.contests.size(); ++i)
        if (!ranking.standings[i].games.empty())
            lines += json_text(best_json(ranking.contests[i], ranking.standings[i]), -1);
    file.write(lines);
}

int run(const RankOptions& options) {
    check(options);
    const Contests contests = open_contests(options.grade);
    if (contests.contests.empty() && contests.bad.empty())
        throw Error("no items in " + options.grade.input);
    auto best = report_file(options.grade.best, {options.grade.input, options.grade.output,
                                                 options.grade.summary, options.records});
    const bool judged = options.records.empty();
    const int code = judged ? judge_pairs(options, contests) : tell_bad(contests);

    const auto results = read_results(judged ? options.grade.output : options.records);
    const Ranking ranking = ranking_of(contests.contests, results, options.wins, seed_of(options));
    const int known = tell_unknown(ranking, options);
    if (best) write_best(ranking, *best);
    std::fputs((options.json ? json_text(to_json(ranking), 2) : text_of(ranking)).c_str(), stdout);
    return ranking.unjudged() > 0 ? exit_code::unscored_items : std::max(code, known);
}

void add_ranking_flags(CLI::App& command, RankOptions& options) {
    command
        .add_option("--records", options.records,
                    "Rank by the records of an earlier run, without a judge")
        ->type_name("FILE");
    command
        .add_option_function<std::string>(
            "--schedule",
            [&options](const std::string& name) {
                options.tournament.schedule =
                    name == "swiss" ? Schedule::swiss : Schedule::round_robin;
            },
            "round-robin (default) compares all pairs of an item's responses; swiss those that did "
            "as well so far, in few rounds")
        ->check(one_of({"round-robin", "swiss"}))
        ->type_name("SCHEDULE");
    command
        .add_option("--rounds", options.tournament.rounds,
                    "Of --schedule swiss (default: the base-2 logarithm of the number of "
                    "responses, rounded up, and one more)")
        ->check(integer_between(1, most_rounds))
        ->type_name("NUMBER");
    command
        .add_option_function<std::string>(
            "--wins",
            [&options](const std::string& name) {
                options.wins = name == "verdicts" ? Wins::verdicts : Wins::probabilities;
            },
            "What a comparison counts: probabilities (default), how likely the judge holds each "
            "response better; verdicts, 1 to the better one, or half to each where the two orders "
            "disagree")
        ->check(one_of({"probabilities", "verdicts"}))
        ->type_name("WINS");
    command
        .add_option("--best", options.grade.best,
                    "Write the best response to each instruction to this file, which is replaced")
        ->type_name("FILE");
    add_json_flag(command, options.json);
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<RankOptions>();
    options->grade.items.mode = Mode::relative;
    add_model_option(command, options->grade.run.model)->required(false);
    add_quantize_options(command, options->grade.run);
    add_input_option(command, options->grade.input)
        ->description(
            "Items: one JSON object a line, a JSON list, an object that holds one, or CSV; - is "
            "standard input");
    add_item_options(command, options->grade.items);
    command.remove_option(command.get_option("--format"));  // it is always that of pairs
    add_ranking_flags(command, *options);
    add_judging_options(command, options->grade);
    add_record_options(command, options->grade);
    add_engine_options(command, options->grade);
    add_sampling_options(command, options->grade);
    return [options, seed = command.get_option("--seed")] {
        options->seed_given = seed->count() > 0;
        options->tournament.seed = options->grade.seed;
        return run(*options);
    };
}

}  // namespace

extern const Command rank_command;
const Command rank_command{
    .name = "rank",
    .summary = "Rank several responses to one instruction, and those who wrote them",
    .description =
        "Compares the responses to each instruction in pairs and ranks them by the strengths of "
        "Bradley and Terry's model, with intervals of 95 %. An item is {\"id\", \"instruction\", "
        "\"responses\": [{\"generator\", \"response\"}, ...]} with reference_answer and rubric as "
        "for grade; items with one \"response\" and \"generator\" are put together by what they "
        "ask. Where generators are named, they are ranked over all items, in Elo points.\n"
        "Comparisons go to the file of -o, as records of pairs; the same command again compares "
        "what has no record yet.",
    .example =
        "assay rank --model demo -i answers.jsonl -o comparisons.jsonl\n"
        "  assay rank -i answers.jsonl --records comparisons.jsonl --json",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
