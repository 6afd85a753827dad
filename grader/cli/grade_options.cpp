#include "grader/cli/grade_options.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <utility>

#include "grader/calibration.h"
#include "grader/cli/commands.h"
#include "grader/cli/quantised.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"
#include "model/formats/mapped_file.h"
#include "runtime/cache.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

constexpr std::uint32_t most_samples = 1024, most_sequences = 4096;

// The first flag that describes an item; empty if there is none.
std::string_view flag_of_item(const GradeOptions& options) {
    if (options.instruction) return "--instruction";
    if (options.response) return "--response";
    if (options.response_b) return "--response-b";
    return options.reference ? "--reference" : "";
}

Mode single_mode(const GradeOptions& options) {
    return options.response_b ? Mode::relative : Mode::absolute;
}

void check_single(const GradeOptions& options) {
    if (!options.instruction || !options.response)
        throw UsageError("an item needs both --instruction and --response");
    if (options.instruction->empty()) throw UsageError("--instruction is empty");
    if (options.items.rubric.empty())
        throw UsageError("an item needs --rubric: a file or one of " + builtin_rubric_list());
    const Mode mode = single_mode(options);
    if (options.items.mode && *options.items.mode != mode)
        throw UsageError("--format " + std::string(name(*options.items.mode)) +
                         (options.response_b ? " takes no --response-b" : " needs --response-b"));
    const Profile& profile = profile_named(options.items.profile);
    if (!profile.has(mode)) throw UsageError(missing_format(profile, mode));
    if (!options.best.empty() && mode == Mode::relative)
        throw UsageError("--best chooses by score, a pair has none");
}

Sampling sampling_of(const GradeOptions& options, Sampling sampling) {
    sampling.temperature = options.temperature.value_or(sampling.temperature);
    sampling.top_p = options.top_p.value_or(sampling.top_p);
    sampling.min_p = options.min_p.value_or(sampling.min_p);
    sampling.top_k = options.top_k.value_or(sampling.top_k);
    sampling.repetition_penalty = options.repetition_penalty.value_or(sampling.repetition_penalty);
    return sampling;
}

void check_scale(const GradeOptions& options) {
    const auto scale = scale_named(options.scale);
    if (options.pass_at && (!scale || scale->pass_at == 0))
        throw UsageError("--pass-at serves --scale binary and pass-fail");
    if (scale && (options.items.mode == Mode::relative || options.response_b))
        throw UsageError("--scale " + options.scale + " tells scores, a pair has none");
}

// 0.9, where the double next to the float would be 0.8999999761581421.
double decimal(float value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", static_cast<double>(value));
    return std::strtod(text, nullptr);
}

}  // namespace

void check(const GradeOptions& options) {
    if (options.single() && !options.input.empty())
        throw UsageError("-i and " + std::string(flag_of_item(options)) + " exclude each other");
    if (!options.single() && options.input.empty())
        throw UsageError("nothing to grade: give -i FILE, or --instruction and --response");
    if (options.json && options.text) throw UsageError("--json and --text exclude each other");
    if (options.text && !options.output.empty())
        throw UsageError("--text and -o exclude each other");
    if (options.json && options.to_file())
        throw UsageError("--json and -o FILE exclude each other: the file holds JSON lines anyway");
    if (options.force && !options.to_file())
        throw UsageError("--force replaces the file of an earlier run: give -o FILE");
    if (options.retry_unscored && !options.to_file())
        throw UsageError("--retry needs the file of an earlier run: give -o FILE");
    if (options.retry_unscored && options.force)
        throw UsageError("--retry and --force exclude each other");
    if (options.verdict_only && options.samples > 1)
        throw UsageError("--verdict-only and --samples exclude each other: nothing is drawn");
    const auto greedy =
        sampling_of(options, options_of(profile_named(options.items.profile)).sampling)
            .temperature == 0;
    if (options.samples > 1 && greedy)
        throw UsageError(
            "--samples " + std::to_string(options.samples) +
            " with temperature 0 would be the same text each time: give --temperature");
    check_scale(options);
    if (options.single()) check_single(options);
}

namespace {

// One warning if it was fitted on another judge, whose probabilities may mean something else.
std::shared_ptr<const Calibration> read_calibration(const std::string& path,
                                                    const GraderOptions& grading, bool quiet) {
    const MappedFile file(path);
    Calibration calibration;
    try {
        calibration = parse_calibration(file.text());
    } catch (const Error& error) {
        throw Error(path + ": " + error.what());
    }
    if (!calibration.profile.empty() && calibration.profile != grading.profile->name)
        throw Error(path + ": profile is " + calibration.profile + " in the file, " +
                    std::string(grading.profile->name) + " in this run");
    const auto fitted = [&](const char* key) { return calibration.judge.value(key, ""); };
    if (!quiet && calibration.judge.is_object() &&
        (fitted("model") != grading.judge.model || fitted("quant") != grading.judge.quant))
        std::fprintf(stderr, "warning: %s was fitted on %s %s, this judge is %s %s\n", path.c_str(),
                     harmless(fitted("model")).c_str(), harmless(fitted("quant")).c_str(),
                     grading.judge.model.c_str(), grading.judge.quant.c_str());
    return std::make_shared<const Calibration>(std::move(calibration));
}

}  // namespace

Item single_item(const GradeOptions& options, const ItemDefaults& defaults) {
    Item item{.id = {"1", true},
              .mode = single_mode(options),
              .instruction = *options.instruction,
              .response = *options.response,
              .response_b = options.response_b.value_or(""),
              .reference_answer = options.reference,
              .rubric = *defaults.rubric};
    item.rubric.check_serves(item.mode, defaults.rubric_source);
    return without_empty_reference(std::move(item));
}

GraderOptions grader_options(const GradeOptions& options, const Checkpoint& checkpoint) {
    GraderOptions grading = options_of(profile_named(options.items.profile));
    grading.sampling = sampling_of(options, grading.sampling);
    grading.max_new_tokens = options.max_new_tokens.value_or(grading.max_new_tokens);
    grading.parser = parser_named(options.parser);
    grading.seed = options.seed;
    grading.samples = options.samples;
    grading.orders = options.orders;
    grading.too_long = options.too_long;
    grading.verdict_only = options.verdict_only;
    grading.scale = scale_named(options.scale, options.pass_at.value_or(default_pass_at));
    grading.judge = describe_judge(checkpoint);
    if (!options.calibration.empty())
        grading.calibration = read_calibration(options.calibration, grading, options.run.quiet);
    return grading;
}

Journal::Settings settings_of(const GradeOptions& options, const GraderOptions& grading,
                              const Checkpoint& checkpoint) {
    Journal::Settings settings{{"version", ASSAY_VERSION}, {"model", grading.judge.model}};
    if (!grading.judge.sha256.empty()) settings["model_sha256"] = grading.judge.sha256;
    settings["quant"] = grading.judge.quant;
    settings["kv"] = info(options.run.kv).name;
    settings["context"] = choose_context(checkpoint.config(), options.run.context);
    settings["profile"] = grading.profile->name;
    settings["parser"] = name(grading.parser);
    const Sampling& sampling = grading.sampling;
    settings["sampling"] = {{"temperature", decimal(sampling.temperature)},
                            {"top_p", decimal(sampling.top_p)},
                            {"min_p", decimal(sampling.min_p)},
                            {"top_k", sampling.top_k},
                            {"repetition_penalty", decimal(sampling.repetition_penalty)}};
    settings["max_new_tokens"] = grading.max_new_tokens;
    settings["seed"] = grading.seed;
    settings["samples"] = grading.samples;
    if (grading.redraws > 0) settings["redraws"] = grading.redraws;
    settings["orders"] = grading.orders == Orders::both ? "both" : "ab";
    settings["too_long"] = name(grading.too_long);
    settings["verdict_only"] = grading.verdict_only;
    if (grading.scale) settings["scale"] = to_json(*grading.scale);
    if (grading.calibration) settings["calibration"] = grading.calibration->sha256;
    settings["batch_invariant"] = options.run.batch_invariant;
    if (options.run.int8_activations) settings["activations"] = activations_name(true);
    return settings;
}

namespace {

void add_item_flags(CLI::App& command, GradeOptions& options) {
    add_input_option(command, options.input);
    const auto text = [&](const char* flag, auto& value, const char* help) {
        command.add_option(flag, value, help)->type_name("TEXT");
    };
    text("--instruction", options.instruction, "One item: what was asked");
    text("--response", options.response, "One item: the response to grade");
    text("--response-b", options.response_b, "One item: the response to compare with");
    text("--reference", options.reference, "One item: an answer that deserves a 5");
    add_item_options(command, options.items);
    add_dataset_options(command, options.items);
}

// Makes bytes of "4GB" or "1.5 GiB".
CLI::Validator a_size() {
    return CLI::Validator(
        [](std::string& text) {
            constexpr std::pair<std::string_view, double> units[] = {
                {"", 1},     {"B", 1},        {"KB", 1e3},     {"MB", 1e6},
                {"GB", 1e9}, {"KIB", 0x1p10}, {"MIB", 0x1p20}, {"GIB", 0x1p30}};
            char* end = nullptr;
            const double number = std::strtod(text.c_str(), &end);
            std::string unit;
            for (; *end != '\0'; ++end)
                if (*end != ' ') unit += static_cast<char>(std::toupper(*end));
            const auto* const found =
                std::ranges::find(units, unit, &std::pair<std::string_view, double>::first);
            const double bytes = found == std::end(units) ? 0 : number * found->second;
            if (!(bytes >= 1 && bytes < 0x1p53))
                return "\"" + text + "\" given, a size such as 4GB or 500MiB expected";
            text = std::to_string(static_cast<std::uint64_t>(bytes));
            return std::string();
        },
        "");
}

void add_batching_flags(CLI::App& command, RunOptions& run) {
    const std::string group = "Many texts at once (default: as suits device and memory)";
    run.sequences = 0;
    command.add_option("--sequences", run.sequences, "Most texts that are written at once")
        ->check(integer_between(1, most_sequences))
        ->group(group)
        ->type_name("NUMBER");
    command
        .add_option("--kv-memory", run.kv_memory,
                    "Most memory for the KV cache, as in 4GB or 500MiB")
        ->transform(a_size())
        ->group(group)
        ->type_name("SIZE");
    command
        .add_flag("--batch-invariant", run.batch_invariant,
                  "The same bits for an item whatever is graded beside it; slower")
        ->group(group);
    command
        .add_flag_callback(
            "--no-speculation", [&run] { run.speculate = false; },
            "Do not guess tokens ahead where few texts are written")
        ->group(group);
}

void add_view_flags(CLI::App& command, GradeOptions& options) {
    command
        .add_option("--best", options.best,
                    "Of the responses to each instruction, write the one with the greatest "
                    "expected score to this file, which is replaced")
        ->type_name("FILE");
    command.add_flag(
        "--plan", options.plan,
        "Grade nothing, but tell how many tokens the items have and which are too long "
        "for the context; needs no GPU");
    add_json_flag(command, options.json);
    command.add_flag("--text", options.text,
                     "Print for a person, also where standard output is no terminal");
}

void add_scale_flags(CLI::App& command, GradeOptions& options) {
    command
        .add_option("--scale", options.scale,
                    "Tell scores on another scale too, which no judge is trained on. The judge is "
                    "asked as ever, and its scores of 1 to 5 are mapped:" +
                        scale_help())
        ->check(one_of(scale_names()))
        ->type_name("SCALE");
    command
        .add_option("--pass-at", options.pass_at,
                    "The least score that passes, for --scale binary and pass-fail (default " +
                        std::to_string(default_pass_at) + ")")
        ->check(integer_between(least_pass_at, most_pass_at))
        ->type_name("SCORE");
}

}  // namespace

void add_too_long_option(CLI::App& command, TooLong& policy) {
    command
        .add_option_function<std::string>(
            "--too-long",
            [&policy](const std::string& name) {
                policy = name == "refuse" ? TooLong::refuse : TooLong::truncate_middle;
            },
            "What becomes of an item that is longer than the context: refuse (default) leaves it "
            "unscored; truncate-middle leaves out the middle of its longest texts, and says so in "
            "its record (docs/context.md)")
        ->check(one_of({"refuse", "truncate-middle"}))
        ->type_name("POLICY");
}

void add_judging_options(CLI::App& command, GradeOptions& options) {
    command
        .add_option("--parser", options.parser,
                    "How verdicts are read: compat (default; as the prometheus-eval library does) "
                    "or strict (as its evaluation script does)")
        ->check(one_of({"compat", "strict"}))
        ->type_name("PARSER");
    command
        .add_option_function<std::string>(
            "--orders",
            [&options](const std::string& orders) {
                options.orders = orders == "both" ? Orders::both : Orders::given;
            },
            "Pairs: both (default) also judges them with the responses exchanged, and tells "
            "whether "
            "the verdict is the same; ab judges them as they are given")
        ->check(one_of({"ab", "both"}))
        ->type_name("ORDERS");
    command
        .add_option(
            "--samples", options.samples,
            "Texts drawn for each item, of a pair in each order, whose verdicts are put together "
            "(default 1)")
        ->check(integer_between(1, most_samples))
        ->type_name("NUMBER");
    command
        .add_option("--calibration", options.calibration,
                    "A file of assay calibrate: records also say what it makes of the grade")
        ->type_name("FILE");
    command.add_flag("--verdict-only", options.verdict_only,
                     "No feedback: the verdict's probabilities right after the prompt");
    add_too_long_option(command, options.too_long);
}

void add_sampling_options(CLI::App& command, GradeOptions& options) {
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

void add_record_options(CLI::App& command, GradeOptions& options) {
    command
        .add_option(
            "-o,--output", options.output,
            "Where records go, one JSON object a line; a run that was cut off goes on where "
            "it was; - is standard output")
        ->type_name("FILE");
    command.add_flag("--force", options.force, "Replace the file of -o if it is there");
    command
        .add_option_function<std::string>(
            "--retry", [&options](const std::string&) { options.retry_unscored = true; },
            "unscored: grade the items again that have a record without a verdict; --context and "
            "--too-long may be others than before")
        ->check(one_of({"unscored"}))
        ->type_name("WHICH");
    command
        .add_option("--summary", options.summary,
                    "Write the summary to this file, as JSON; it is replaced")
        ->type_name("FILE");
    add_quiet_flag(command, options.run.quiet);
}

void add_engine_options(CLI::App& command, GradeOptions& options) {
    add_context_option(command, options.run.context);
    add_kv_option(command, options.run.kv);
    add_activations_option(command, options.run.int8_activations);
    add_device_options(command, options.run);
    add_batching_flags(command, options.run);
    command
        .add_option_function<std::string>(
            "--gpu-profile",
            [&options](const std::string& trace) {
                options.run.profile = true;
                options.trace = trace;
            },
            "Print a table of GPU time per kernel at the end; with FILE, write a trace for "
            "Perfetto too (--profile is another thing: how the judge is asked)")
        ->expected(0, 1)
        ->type_name("[FILE]");
}

void add_grade_options(CLI::App& command, GradeOptions& options) {
    add_model_option(command, options.run.model);
    add_quantize_options(command, options.run);
    add_item_flags(command, options);
    add_judging_options(command, options);
    add_scale_flags(command, options);
    add_record_options(command, options);
    add_view_flags(command, options);
    add_engine_options(command, options);
    add_sampling_options(command, options);
}

}  // namespace assay::cli
