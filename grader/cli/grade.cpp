#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "grader/cli/commands.h"
#include "grader/cli/items.h"
#include "grader/cli/options.h"
#include "grader/cli/output_file.h"
#include "grader/cli/quantised.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"
#include "grader/cli/view.h"
#include "grader/grader.h"
#include "model/engine/scheduler.h"
#include "runtime/copy_rate.h"
#include "runtime/error.h"
#include "runtime/profile.h"

namespace assay::cli {
namespace {

struct Options {
    RunOptions run;
    ItemOptions items;
    std::string input, output;
    std::optional<std::string> instruction, response, response_b, reference;
    std::string parser{name(Parser::compat)};
    std::optional<float> temperature, top_p, min_p, repetition_penalty;
    std::optional<std::uint32_t> top_k, max_new_tokens;
    std::uint64_t seed = 0;
    std::string trace;  // where --gpu-profile puts it
    bool force = false, json = false, text = false;

    bool single() const { return !flag_of_item().empty(); }
    // The first flag that describes an item; empty if there is none.
    std::string flag_of_item() const {
        if (instruction) return "--instruction";
        if (response) return "--response";
        if (response_b) return "--response-b";
        return reference ? "--reference" : "";
    }
    Mode single_mode() const { return response_b ? Mode::relative : Mode::absolute; }
};

void check(const Options& options) {
    if (options.single() && !options.input.empty())
        throw UsageError("-i and " + options.flag_of_item() + " exclude each other");
    if (!options.single() && options.input.empty())
        throw UsageError("nothing to grade: give -i FILE, or --instruction and --response");
    if (options.json && options.text) throw UsageError("--json and --text exclude each other");
    if (options.text && !options.output.empty())
        throw UsageError("--text and -o exclude each other");
    if (!options.single()) return;
    if (!options.instruction || !options.response)
        throw UsageError("an item needs both --instruction and --response");
    if (options.instruction->empty()) throw UsageError("--instruction is empty");
    if (options.items.rubric.empty())
        throw UsageError("an item needs --rubric: a file or one of " + builtin_rubric_list());
    if (options.items.mode && *options.items.mode != options.single_mode())
        throw UsageError("--format " + std::string(name(*options.items.mode)) +
                         (options.response_b ? " takes no --response-b" : " needs --response-b"));
    const Profile& profile = profile_named(options.items.profile);
    if (!profile.has(options.single_mode()))
        throw UsageError(missing_format(profile, options.single_mode()));
}

Item single_item(const Options& options, const ItemDefaults& defaults) {
    Item item{.id = {"1", true},
              .mode = options.single_mode(),
              .instruction = *options.instruction,
              .response = *options.response,
              .response_b = options.response_b.value_or(""),
              .reference_answer = options.reference,
              .rubric = *defaults.rubric};
    item.rubric.check_serves(item.mode, defaults.rubric_source);
    return without_empty_reference(std::move(item));
}

GraderOptions grader_options(const Options& options, const Checkpoint& checkpoint) {
    GraderOptions grading = options_of(profile_named(options.items.profile));
    Sampling& sampling = grading.sampling;
    sampling.temperature = options.temperature.value_or(sampling.temperature);
    sampling.top_p = options.top_p.value_or(sampling.top_p);
    sampling.min_p = options.min_p.value_or(sampling.min_p);
    sampling.top_k = options.top_k.value_or(sampling.top_k);
    sampling.repetition_penalty = options.repetition_penalty.value_or(sampling.repetition_penalty);
    grading.max_new_tokens = options.max_new_tokens.value_or(grading.max_new_tokens);
    grading.parser = parser_named(options.parser);
    grading.seed = options.seed;
    grading.judge = describe_judge(checkpoint);
    return grading;
}

// The records' destination, closed with it.
class Output {
public:
    explicit Output(const Options& options) {
        if (options.output.empty() || options.output == "-") {
            const bool lines = options.json || options.output == "-";
            const bool person = options.text || (!lines && is_terminal(stdout));
            on_screen_ = person && is_terminal(stdout);
            view_ = person ? person_view(stdout) : json_lines_view(stdout, "standard output");
            return;
        }
        file_ = open_output(options.output, options.input, options.force);
        view_ = json_lines_view(file_.get(), options.output);
    }

    View& view() { return *view_; }
    bool on_screen() const { return on_screen_; }  // then a progress bar would be in its way

private:
    OutputFile file_;
    std::unique_ptr<View> view_;
    bool on_screen_ = false;
};

// Grades items one after another and keeps count.
class Run {
public:
    Run(Session& session, const Tokenizer& tokenizer, Output& output, const Options& options,
        std::optional<std::size_t> expected)
        : scheduler_(session.engine(), {.speculate = options.run.speculate}),
          grader_(scheduler_, tokenizer, grader_options(options, session.checkpoint())),
          view_(output.view()),
          progress_(options.run.quiet || output.on_screen()),
          quiet_(options.run.quiet),
          expected_(expected) {}

    void add(const std::variant<Item, BadItem>& next) {
        const auto* item = std::get_if<Item>(&next);
        const ItemId& id = id_of(next);
        const std::size_t number = graded_ + unscored_ + 1;
        view_.begin(id, item ? std::optional(item->mode) : std::nullopt, number, expected_);
        Record record =
            item ? grader_.grade(*item, [&](std::string_view piece) { view_.feedback(piece); })
                 : unscored(std::get<BadItem>(next));
        if (!seen_.emplace(id.is_number, id.text).second) warn_of_duplicate(record);
        count(record);
        view_.end(record);
        show_progress();
    }

    void finish() {
        progress_.clear();
        if (quiet_) return;
        std::string line = "graded " + std::to_string(graded_) + ", unscored " +
                           std::to_string(unscored_) + ", forced " + std::to_string(forced_) +
                           ", " + duration_text(watch_.seconds());
        if (graded_ > 0)
            line += " (" + duration_text(watch_.seconds() / static_cast<double>(graded_)) +
                    " per item)";
        std::fprintf(stderr, "%s\n", line.c_str());
    }

    std::size_t count() const { return graded_ + unscored_; }
    int exit_code() const { return unscored_ ? exit_code::unscored_items : exit_code::done; }

private:
    void warn_of_duplicate(Record& record) {
        record.warnings.emplace_back("duplicate_id");
        if (quiet_) return;
        progress_.clear();
        std::fprintf(stderr, "warning: id %s appears more than once\n",
                     harmless(record.id.text).c_str());
    }

    void count(const Record& record) {
        const auto* grade = std::get_if<Grade>(&record.result);
        ++(grade ? graded_ : unscored_);
        if (grade && grade->source == VerdictSource::forced) ++forced_;
    }

    void show_progress() {
        const std::size_t done = graded_ + unscored_;
        const double rate = static_cast<double>(done) / watch_.seconds();
        char rate_text[32];
        std::snprintf(rate_text, sizeof rate_text, "%.2f items/s", rate);
        std::string text = std::to_string(done);
        if (expected_) text += " of " + std::to_string(*expected_);
        text += std::string(" items, ") + rate_text;
        double share = -1;
        if (expected_ && *expected_ >= done) {
            share = static_cast<double>(done) / static_cast<double>(*expected_);
            text += ", " + duration_text(static_cast<double>(*expected_ - done) / rate) + " left";
        }
        progress_.update(share, text);
    }

    Scheduler scheduler_;
    Grader grader_;
    View& view_;
    Progress progress_;
    bool quiet_;
    std::optional<std::size_t> expected_;
    std::set<std::pair<bool, std::string>> seen_;
    std::size_t graded_ = 0, unscored_ = 0, forced_ = 0;
    Stopwatch watch_;
};

// Where GPU time goes, at the end of a run.
class Profiling {
public:
    // Throws an Error if the file of the trace cannot be written.
    explicit Profiling(const Options& options)
        : wanted_(options.run.profile), trace_(options.trace) {
        if (trace_.empty()) return;
        file_.open(trace_, std::ios::binary);
        if (!file_) throw Error(trace_ + ": " + std::strerror(errno));
    }

    void print(Session& session) {
        if (!wanted_) return;
        std::vector<std::vector<ProfileEvent>> devices;
        for (std::size_t i = 0; i < session.devices().size(); ++i) {
            Device& device = *session.devices()[i];
            const auto& events = session.engine().stream(i).profile();
            if (session.devices().size() > 1)
                std::fprintf(stderr, "%s, device %zu of %zu:\n", device.info().name.c_str(), i + 1,
                             session.devices().size());
            std::fputs(profile_table(events, measure_copy_rate(device)).c_str(), stderr);
            devices.push_back(events);
        }
        if (const ExpertUse use = session.engine().expert_use(); use.hits + use.misses > 0)
            std::fprintf(
                stderr, "experts: %.1f %% of %llu were on the device\n",
                100.0 * static_cast<double>(use.hits) / static_cast<double>(use.hits + use.misses),
                static_cast<unsigned long long>(use.hits + use.misses));
        if (trace_.empty()) return;
        file_ << chrome_trace(devices) << std::flush;
        if (!file_) throw Error(trace_ + ": " + std::strerror(errno));
    }

private:
    bool wanted_;
    std::string trace_;
    std::ofstream file_;
};

int run(const Options& options) {
    check(options);
    const ItemDefaults defaults = defaults_of(options.items);
    std::optional<ItemFile> file;
    std::optional<Item> single;
    std::optional<std::size_t> expected = 1;
    if (options.single()) {
        single = single_item(options, defaults);
    } else {
        file.emplace(options.input);
        file->check(defaults);
        expected = file->count();
        if (expected == 0) throw Error("no items in " + options.input);
    }
    Checkpoint checkpoint(model_path(options.run));
    const Tokenizer tokenizer = checkpoint.tokenizer();
    Output output(options);
    Profiling profiling(options);
    Session session(options.run, std::move(checkpoint));
    Run grading(session, tokenizer, output, options, expected);
    if (single) {
        grading.add(*single);
    } else {
        ItemReader items(file->stream(), defaults);
        while (const auto next = items.next()) grading.add(*next);
        if (grading.count() == 0)
            throw Error("no items in " + (options.input == "-" ? "standard input" : options.input));
    }
    grading.finish();
    profiling.print(session);
    session.finish();
    return grading.exit_code();
}

void add_item_flags(CLI::App& command, Options& options) {
    add_input_option(command, options.input);
    command.add_option("--instruction", options.instruction, "One item: what was asked")
        ->type_name("TEXT");
    command.add_option("--response", options.response, "One item: the response to grade")
        ->type_name("TEXT");
    command
        .add_option("--response-b", options.response_b, "One item: the response to compare with")
        ->type_name("TEXT");
    command.add_option("--reference", options.reference, "One item: an answer that deserves a 5")
        ->type_name("TEXT");
    add_item_options(command, options.items);
    command
        .add_option("--parser", options.parser,
                    "How verdicts are read: compat (default; as the prometheus-eval library does) "
                    "or strict (as its evaluation script does)")
        ->check(one_of({"compat", "strict"}))
        ->type_name("PARSER");
}

void add_sampling_flags(CLI::App& command, Options& options) {
    const std::string group = "Sampling (default: as the profile has it)";
    const auto number = [&](const char* flag, auto& value, const char* help,
                            const CLI::Validator& check) {
        command.add_option(flag, value, help)->check(check)->group(group)->type_name("NUMBER");
    };
    number("--temperature", options.temperature, "0: always the likeliest token", number_from(0));
    number("--top-p", options.top_p, "Draw from the likeliest tokens of this much probability",
           number_between(0, 1));
    number("--min-p", options.min_p, "Drop tokens below this share of the likeliest one's",
           number_between(0, 1));
    number("--top-k", options.top_k, "Draw from this many tokens; 0: from all",
           integer_between(0, most_tokens));
    number("--repetition-penalty", options.repetition_penalty, "1: none",
           number_between(0.01, 100));
    number("--max-new-tokens", options.max_new_tokens, "Longest feedback",
           integer_between(1, most_tokens));
    number("--seed", options.seed, "Of the random numbers (default 0)",
           integer_between(0, std::numeric_limits<std::uint64_t>::max()));
}

void add_output_flags(CLI::App& command, Options& options) {
    command
        .add_option("-o,--output", options.output,
                    "Where records go, one JSON object a line; - is standard output")
        ->type_name("FILE");
    command.add_flag("--force", options.force, "Replace the file of -o if it is there");
    add_json_flag(command, options.json);
    command.add_flag("--text", options.text,
                     "Print for a person, also where standard output is no terminal");
    add_quiet_flag(command, options.run.quiet);
    command
        .add_option_function<std::string>(
            "--gpu-profile",
            [&options](const std::string& trace) {
                options.run.profile = true;
                options.trace = trace;
            },
            "Print a table of GPU time per kernel at the end; with FILE, write a trace for "
            "Perfetto too (--profile is the prompt's)")
        ->expected(0, 1)
        ->type_name("[FILE]");
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    add_model_option(command, options->run.model);
    add_quantize_options(command, options->run);
    add_item_flags(command, *options);
    add_output_flags(command, *options);
    add_context_option(command, options->run.context);
    add_kv_option(command, options->run.kv);
    add_device_options(command, options->run);
    add_sampling_flags(command, *options);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command grade_command;
const Command grade_command{
    .name = "grade",
    .summary = "Grade responses: a score of 1 to 5, or the better of two",
    .description =
        "Grades the items of a JSONL file, or one item given by flags. An item is {\"id\", "
        "\"instruction\", \"response\", \"reference_answer\", \"rubric\"}, with response_A and "
        "response_B in place of response for a pair; id, reference_answer and, with --rubric, "
        "rubric may be absent. Every item gives a record with a verdict and its probabilities; an "
        "item that cannot be graded gives one that says why, and the exit code is then 3.\n"
        "Records go to -o; without it they are shown as they are written on a terminal, and "
        "printed as JSON lines elsewhere.",
    .example =
        "assay grade --model demo --rubric factual_validity \\\n"
        "      --instruction 'What is the capital of France?' --response 'Paris.'\n"
        "  assay grade --model demo -i items.jsonl -o grades.jsonl",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
