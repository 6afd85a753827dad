#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/grade_items.h"
#include "grader/cli/grade_options.h"
#include "grader/cli/items.h"
#include "grader/cli/output_file.h"
#include "grader/cli/quantised.h"
#include "grader/cli/terminal.h"
#include "grader/journal.h"
#include "grader/pair_lines.h"
#include "grader/scored_responses.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t most_limit = 1'000'000;

struct Format {
    std::string_view name;
    Json (*line)(const PairLine& line);
};
constexpr Format formats[]{{"native", native_line},
                           {"preference-collection", preference_collection_line}};

struct Options {
    GradeOptions grade;         // its output: where the judge's records go
    std::string output, items;  // where pairs go; the items that records were made of
    std::string score;
    const Format* format = &formats[0];
    PairingOptions pairing;
    bool feedback = false, keep_disagreeing = false, json = false;

    bool for_training() const { return feedback || format != &formats[0]; }
    bool to_file() const { return !output.empty() && output != "-"; }
};

void check_feedback(Options& options) {
    if (!options.feedback) {
        for (const auto& [given, flag] :
             {std::pair(!options.grade.run.model.empty(), "--model"),
              std::pair(!options.grade.output.empty(), "--records"),
              std::pair(options.keep_disagreeing, "--keep-disagreeing")})
            if (given) throw UsageError(std::string(flag) + " serves --feedback");
        return;
    }
    if (options.grade.run.model.empty()) throw UsageError("--feedback is a judge's: give --model");
    if (!options.to_file()) throw UsageError("--feedback takes time: give -o FILE");
    if (options.grade.verdict_only)
        throw UsageError("--feedback and --verdict-only exclude each other");
    const Profile& profile = profile_named(options.grade.items.profile);
    if (!profile.has(Mode::relative)) throw UsageError(missing_format(profile, Mode::relative));
    if (options.grade.output.empty())
        options.grade.output =
            std::filesystem::path(options.output).replace_extension(".records.jsonl").string();
    check(options.grade);
}

void check_options(Options& options) {
    if (options.json && !options.to_file())
        throw UsageError("--json tells of a file: give -o FILE");
    if (options.pairing.ties == Ties::keep && options.for_training())
        throw UsageError(
            "--ties keep serves neither --feedback nor --format preference-collection: "
            "a judge knows no ties");
    check_feedback(options);
}

// What a judge is trained or asked with needs a rubric.
DatasetOptions dataset_options(const Options& options) {
    DatasetOptions dataset{.name = options.grade.items.dataset,
                           .map = options.grade.items.mappings,
                           .with = options.grade.items.with,
                           .seed = options.grade.seed,
                           .defaults = defaults_of(options.grade.items)};
    if (!dataset.defaults.rubric && !options.for_training()) dataset.defaults.rubric = Rubric{};
    return dataset;
}

ScoredResponses read_responses(const Options& options) {
    const std::string& path = options.grade.input;
    const DatasetOptions dataset = dataset_options(options);
    if (options.items.empty() && is_journal(path))
        throw Error(path +
                    ": records of `assay grade`: --items names the file of the items they were "
                    "made of");
    if (options.items.empty())
        return labelled_responses(*open_dataset(path, dataset),
                                  options.score.empty() ? "label" : options.score);
    const std::vector<Result> records = read_results(path);
    require_verdicts(records, path);
    try {
        return graded_responses(records, read_graded_items(options.items, dataset),
                                options.score.empty() ? "score" : options.score);
    } catch (const Error& error) {
        throw Error(path + ": " + error.what());
    }
}

// The pairs as they are asked for.
class PairSource : public ItemSource {
public:
    PairSource(std::span<const ScoredResponse> responses, std::span<const ResponsePair> pairs)
        : responses_(responses), pairs_(pairs) {}

    std::optional<std::variant<Item, BadItem>> next() override {
        if (!at_hand()) return std::nullopt;
        return pair_item(responses_, pairs_[next_++]);
    }
    bool at_hand() override { return next_ < pairs_.size(); }
    std::optional<std::size_t> count() const override { return pairs_.size(); }

private:
    std::span<const ScoredResponse> responses_;
    std::span<const ResponsePair> pairs_;
    std::size_t next_ = 0;
};

// The records of a file by what was judged.
class Records {
public:
    explicit Records(const std::string& path) : results_(read_results(path)) {
        for (const Result& result : results_)
            by_item_.emplace(result.id + " " + result.item_hash, &result);
    }

    // nullptr: there is none with a verdict
    const Result* of(const Item& item) const {
        const auto found = by_item_.find(item.id.text + " " + item_hash(item));
        return found != by_item_.end() && found->second->scored() ? found->second : nullptr;
    }

private:
    std::vector<Result> results_;
    std::unordered_map<std::string, const Result*> by_item_;
};

// Pairs that were written, and what the judge made of all of them.
struct Written {
    std::size_t a = 0, b = 0, ties = 0;
    std::size_t agreed = 0, disagreed = 0, without_text = 0, unscored = 0;

    std::size_t pairs() const { return a + b + ties; }
};

// Whether the pair is written with what the judge made of it.
bool take_comparison(PairLine& line, const Records& records, bool keep_disagreeing,
                     Written& written) {
    const Result* record = records.of(line.item);
    if (!record) {
        ++written.unscored;
        return false;
    }
    const char preferred = *line.item.label->preferred;
    const bool agree = agrees(*record, preferred);
    ++(agree ? written.agreed : written.disagreed);
    line.comparison = comparison_of(*record);
    if (!line.comparison) ++written.without_text;
    return line.comparison &&
           (keep_disagreeing || (agree && line.comparison->verdict == preferred));
}

Written write_pairs(const Options& options, std::span<const ScoredResponse> responses,
                    const Pairing& pairing, std::FILE* file) {
    std::optional<Records> records;
    if (options.feedback) records.emplace(options.grade.output);
    Written written;
    for (const ResponsePair& pair : pairing.pairs) {
        PairLine line{responses[pair.a], responses[pair.b], pair_item(responses, pair), {}};
        if (records && !take_comparison(line, *records, options.keep_disagreeing, written))
            continue;
        ++(pair.preferred == 'A' ? written.a : pair.preferred == 'B' ? written.b : written.ties);
        const std::string text = json_text(options.format->line(line), -1);
        if (std::fputs(text.c_str(), file) < 0)
            throw Error((options.to_file() ? options.output : "standard output") +
                        ": cannot be written");
    }
    if (std::fflush(file) != 0) throw Error(options.output + ": cannot be written");
    return written;
}

int judge_pairs(const Options& options, std::span<const ScoredResponse> responses,
                const Pairing& pairing) {
    PairSource pairs(responses, pairing.pairs);
    LoadedJudge judge(options.grade.run, options.grade.trace);
    const int code = grade_items(judge, options.grade, pairs,
                                 {.grading = grader_options(options.grade, judge.checkpoint())});
    judge.finish();
    return code;
}

Json to_json(const Options& options, const ScoredResponses& read, const Pairing& pairing,
             const Written& written) {
    Json json{{"instructions", pairing.instructions},
              {"responses", read.responses.size()},
              {"pairs", written.pairs()},
              {"prefer_a", written.a},
              {"prefer_b", written.b},
              {"ties", written.ties},
              {"left_out",
               {{"ties", pairing.ties},
                {"too_near", pairing.near},
                {"same_text", pairing.same_text},
                {"above_limit", pairing.above_limit},
                {"responses_without_score", read.unscored},
                {"records_without_item", read.without_item},
                {"pairs_already", read.pairs},
                {"bad", read.bad.size()}}}};
    if (options.feedback)
        json["judge"] = {{"agrees", written.agreed},
                         {"disagrees", written.disagreed},
                         {"without_stated_verdict", written.without_text},
                         {"unscored", written.unscored}};
    return json;
}

// "x.jsonl: 60 pairs (30 prefer A, 30 B) of 30 responses to 6 instructions; left out: 4 ties"
std::string summary(const Options& options, const ScoredResponses& read, const Pairing& pairing,
                    const Written& written) {
    const auto count = [](std::size_t number) { return std::to_string(number); };
    std::string line = options.grade.input + ": " + count(written.pairs()) + " pairs (" +
                       count(written.a) + " prefer A, " + count(written.b) + " B" +
                       (written.ties > 0 ? ", " + count(written.ties) + " ties" : "") + ") of " +
                       count(read.responses.size()) + " responses to " +
                       count(pairing.instructions) + " instructions";
    if (options.feedback)
        line += "; the judge agrees with " + count(written.agreed) + " of " +
                count(written.agreed + written.disagreed);
    const std::pair<std::size_t, const char*> left_out[]{
        {pairing.ties, "ties"},
        {pairing.near, "pairs of scores too near"},
        {pairing.same_text, "pairs of one text"},
        {pairing.above_limit, "pairs above the limit"},
        {written.without_text, "pairs whose feedback states no verdict"},
        {written.unscored, "pairs the judge could not grade"},
        {read.unscored, "responses without a score"},
        {read.without_item, "records without their item"},
        {read.pairs, "pairs in the file"},
        {read.bad.size(), "records that are no items"}};
    const char* between = "; left out: ";
    for (const auto& [number, what] : left_out)
        if (number > 0) line += std::exchange(between, ", ") + count(number) + " " + what;
    return line;
}

// Before anything is graded. An output that was made of the same records may be made anew.
void check_output(const Options& options) {
    if (!options.to_file()) return;
    for (const std::string& other : {options.items, options.grade.output})
        forbid_same_file(options.output, other);
    const bool goes_on = options.feedback && std::filesystem::exists(options.grade.output);
    require_free(options.output, options.grade.input, options.grade.force || goes_on);
}

int run(Options options) {
    check_options(options);
    const ScoredResponses read = read_responses(options);
    for (const BadItem& bad : read.bad)
        std::fprintf(stderr, "assay: %s\n", harmless(bad.what()).c_str());
    options.pairing.seed = options.grade.seed;
    const Pairing pairing = pair_up(read.responses, options.pairing);
    if (pairing.pairs.empty()) throw Error("no pairs: " + summary(options, read, pairing, {}));
    check_output(options);
    int code = read.bad.empty() ? exit_code::done : exit_code::unscored_items;
    if (options.feedback) code = std::max(code, judge_pairs(options, read.responses, pairing));
    const OutputFile file =
        options.to_file() ? open_output(options.output, options.grade.input, true) : nullptr;
    const Written written =
        write_pairs(options, read.responses, pairing, file ? file.get() : stdout);
    if (!options.grade.run.quiet)
        std::fprintf(stderr, "%s\n", summary(options, read, pairing, written).c_str());
    if (options.json)
        std::fputs(json_text(to_json(options, read, pairing, written), 2).c_str(), stdout);
    return code;
}

void add_pairing_flags(CLI::App& command, Options& options) {
    command
        .add_option("--items", options.items,
                    "The input holds records of `assay grade`, made of the items of this file")
        ->type_name("FILE");
    command
        .add_option("--score", options.score,
                    "What responses are scored by: label (default of items; the mean of its "
                    "scores) or label.NAME; of records also their fields: score (default), "
                    "expected_score, calibrated.score")
        ->type_name("FIELD");
    command
        .add_option_function<std::string>(
            "--ties",
            [&options](const std::string& ties) {
                options.pairing.ties = ties == "keep" ? Ties::keep : Ties::drop;
            },
            "Pairs of equal scores: drop (default) or keep, labelled tie")
        ->check(one_of({"drop", "keep"}))
        ->type_name("TIES");
    command
        .add_option("--min-gap", options.pairing.least_gap,
                    "The least difference of two scores that makes a pair (default: any)")
        ->check(number_from(0))
        ->type_name("NUMBER");
    command
        .add_option("--limit", options.pairing.limit,
                    "Most pairs of an instruction, drawn by --seed (default: all)")
        ->check(integer_between(1, most_limit))
        ->type_name("NUMBER");
}

void add_output_flags(CLI::App& command, Options& options) {
    command.add_option("-o,--output", options.output, "Where pairs go (default: standard output)")
        ->type_name("FILE");
    std::vector<std::string> names;
    for (const Format& format : formats) names.emplace_back(format.name);
    command
        .add_option_function<std::string>(
            "--format",
            [&options](const std::string& name) {
                for (const Format& format : formats)
                    if (format.name == name) options.format = &format;
            },
            "native (default): items; preference-collection: records to train a judge with")
        ->check(one_of(std::move(names)))
        ->type_name("FORMAT");
    add_json_flag(command, options.json);
}

void add_feedback_flags(CLI::App& command, Options& options) {
    command.add_flag("--feedback", options.feedback,
                     "Let the judge of --model compare each pair, and write what it says of those "
                     "where it agrees with the scores");
    command.add_flag("--keep-disagreeing", options.keep_disagreeing,
                     "Write the other pairs too, with what the judge says");
    command
        .add_option("--records", options.grade.output,
                    "Where the judge's records are kept; the same command again goes on from them "
                    "(default: beside -o, as NAME.records.jsonl)")
        ->type_name("FILE");
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command.add_option("IN", options->grade.input, "Responses with labels, or records")
        ->required()
        ->type_name("FILE");
    add_pairing_flags(command, *options);
    add_item_options(command, options->grade.items);
    command.remove_option(command.get_option("--format"));  // here it is that of the output
    add_dataset_options(command, options->grade.items);
    add_feedback_flags(command, *options);
    add_model_option(command, options->grade.run.model)->required(false);
    add_quantize_options(command, options->grade.run);
    add_judging_options(command, options->grade);
    add_record_options(command, options->grade);
    command.remove_option(command.get_option("--output"));  // here it is that of the pairs
    add_output_flags(command, *options);
    add_engine_options(command, options->grade);
    add_sampling_options(command, options->grade);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command pairs_command;
const Command pairs_command{
    .name = "pairs",
    .summary = "Make pairs of scored responses, to train or to test judges with",
    .description =
        "Pairs all responses to an instruction that have different scores, labels each pair with "
        "the better one and shows it as A in half of the pairs. Responses belong together if "
        "instruction, rubric, reference answer and context are the same. The input holds "
        "responses with labels, in any form that `assay grade` reads, or records of `assay "
        "grade`, with --items. Which response is A depends on --seed and on the texts, not on the "
        "order of the file.\n"
        "With --feedback, a judge compares each pair, and the pairs are written with what it says "
        "where it agrees, in both orders unless --orders ab. docs/pairs.md tells more.",
    .example =
        "assay pairs feedback_bench.json --limit 4 -o pairs.jsonl\n"
        "  assay pairs grades.jsonl --items items.jsonl --score expected_score --min-gap 0.5 -o "
        "pairs.jsonl\n"
        "  assay pairs items.jsonl --feedback --model judge.gguf --format preference-collection -o "
        "train.jsonl",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
