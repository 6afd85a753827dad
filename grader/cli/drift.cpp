#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/drift_report.h"
#include "grader/cli/items.h"
#include "grader/cli/options.h"
#include "grader/cli/output_file.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"
#include "model/kv_cache.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

struct Options {
    RunOptions run;  // of every judge but for its model
    ItemOptions items;
    std::string reference, input, output;
    std::vector<std::string> tests;
    std::optional<std::uint32_t> max_new_tokens;
    std::uint64_t seed = 0;
    bool force = false, json = false;
};

struct ItemsToJudge {
    std::vector<Item> items;
    std::vector<Record> unscored;
};

ItemsToJudge read_items(const Options& options) {
    const auto source = open_items(options.input, options.items, options.seed);
    ItemsToJudge read;
    while (const auto next = source->next())
        if (const auto* item = std::get_if<Item>(&*next))
            read.items.push_back(*item);
        else
            read.unscored.push_back(unscored(std::get<BadItem>(*next)));
    if (read.items.empty()) throw Error("no items in " + options.input);
    return read;
}

// The run of MODEL, MODEL@KV, MODEL@int8 or MODEL@KV@int8; a file may have an @ in its name.
RunOptions run_of(const Options& options, const std::string& judge) {
    RunOptions run = options.run;
    run.model = judge;
    while (!std::filesystem::exists(run.model)) {
        const std::size_t at = run.model.rfind('@');
        if (at == std::string::npos) break;
        const std::string how = run.model.substr(at + 1);
        if (const auto kv = cache_from_name(how))
            run.kv = *kv;
        else if (how == activations_name(true))
            run.int8_activations = true;
        else
            throw UsageError(judge + ": \"" + how + "\" is no format of the KV cache, nor int8");
        run.model.resize(at);
    }
    return run;
}

// A judge whose files are open.
struct OpenJudge {
    RunOptions run;
    Checkpoint checkpoint;
};

OpenJudge open_judge(const Options& options, const std::string& name) {
    RunOptions run = run_of(options, name);
    Checkpoint checkpoint(resolve_model(run.model));
    return {std::move(run), std::move(checkpoint)};
}

// The reference, then the tests. What can be known to go wrong with one is an Error here, before
// the others have worked for hours.
std::vector<OpenJudge> open_judges(const Options& options) {
    std::vector<OpenJudge> judges;
    judges.push_back(open_judge(options, options.reference));
    for (const std::string& test : options.tests) judges.push_back(open_judge(options, test));
    const Config& reference = judges.front().checkpoint.config();
    const std::uint32_t context = choose_context(reference, options.run.context);
    for (auto& [run, checkpoint] : judges) {
        const Config& config = checkpoint.config();
        if (config.vocab_size != reference.vocab_size)
            throw Error(run.model + ": vocab_size: " + std::to_string(config.vocab_size) +
                        ", the reference has " + std::to_string(reference.vocab_size));
        run.context = choose_context(config, context);
        KvCache::bytes(config, run.kv, 1);  // throws if the format does not suit the heads
    }
    return judges;
}

// A judge, loaded for as long as it is needed.
class LoadedJudge {
public:
    LoadedJudge(const Options& options, OpenJudge judge)
        : quiet_(judge.run.quiet),
          session_(judge.run, std::move(judge.checkpoint)),
          tokenizer_(session_.checkpoint().tokenizer()),
          judge_(session_.engine(), tokenizer_, grader_options(options)),
          summary_{.name = session_.checkpoint().name(),
                   .kv = judge.run.kv,
                   .int8_activations = judge.run.int8_activations,
                   .bytes = session_.checkpoint().bytes_by_format()} {}

    const DriftingJudge& summary() const { return summary_; }

    void refer(const std::vector<Item>& items, DriftReport& report) {
        Progress progress(quiet_);
        for (std::size_t i = 0; i < items.size(); ++i) {
            show(progress, i, items.size());
            auto judged = judge_.refer(items[i]);
            if (auto* reference = std::get_if<ReferenceItem>(&judged))
                report.items.push_back(std::move(*reference));
            else
                report.unscored.push_back({.id = items[i].id,
                                           .mode = items[i].mode,
                                           .result = std::get<Unscored>(judged)});
        }
        session_.finish();
    }

    TestedJudge compare(const std::vector<ReferenceItem>& items) {
        Progress progress(quiet_);
        TestedJudge tested{.judge = summary_, .drifts = {}, .drift = {}};
        for (std::size_t i = 0; i < items.size(); ++i) {
            show(progress, i, items.size());
            tested.drifts.push_back(judge_.compare(items[i]));
        }
        tested.drift = summarise(items, tested.drifts);
        session_.finish();
        return tested;
    }

private:
    static GraderOptions grader_options(const Options& options) {
        GraderOptions grading = options_of(profile_named(options.items.profile));
        grading.max_new_tokens = options.max_new_tokens.value_or(grading.max_new_tokens);
        return grading;
    }

    void show(Progress& progress, std::size_t done, std::size_t all) const {
        progress.update(
            static_cast<double>(done) / static_cast<double>(all),
            summary_.name + ": " + std::to_string(done) + " of " + std::to_string(all) + " items");
    }

    bool quiet_;
    Session session_;
    Tokenizer tokenizer_;
    DriftJudge judge_;
    DriftingJudge summary_;
};

// One judge after another, so that the device need not hold two.
DriftReport judge_all(const Options& options, std::vector<OpenJudge> judges, ItemsToJudge items) {
    DriftReport report;
    report.unscored = std::move(items.unscored);
    for (OpenJudge& judge : judges) {
        LoadedJudge loaded(options, std::move(judge));
        if (&judge != &judges.front()) {
            report.tests.push_back(loaded.compare(report.items));
            continue;
        }
        report.reference = loaded.summary();
        loaded.refer(items.items, report);
        if (report.items.empty())
            throw Error(report.reference.name + " could not grade any item: " +
                        std::get<Unscored>(report.unscored.back().result).error);
    }
    return report;
}

void write(std::FILE* file, const std::string& name, const std::string& text) {
    if (std::fputs(text.c_str(), file) < 0 || std::fflush(file) != 0)
        throw Error(name + ": cannot be written");
}

int run(const Options& options) {
    std::vector<OpenJudge> judges = open_judges(options);
    ItemsToJudge items = read_items(options);
    OutputFile file;
    if (!options.output.empty()) file = open_output(options.output, options.input, options.force);
    const DriftReport report = judge_all(options, std::move(judges), std::move(items));
    const std::string json =
        to_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    if (file) write(file.get(), options.output, json);
    write(stdout, "standard output", options.json ? json : drift_table(report));
    const bool all_scored =
        report.unscored.empty() && std::ranges::all_of(report.tests, [](const TestedJudge& test) {
            return test.drift.unscored == 0;
        });
    return all_scored ? exit_code::done : exit_code::unscored_items;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    command
        .add_option("--reference", options->reference,
                    "The judge that others are compared with, named as for assay grade; with "
                    "@FORMAT after it, with that KV cache, with @int8 with --activations int8")
        ->required()
        ->type_name("MODEL[@KV][@int8]");
    command
        .add_option("--test", options->tests, "A judge to compare with it; may be given repeatedly")
        ->required()
        ->allow_extra_args(false)
        ->type_name("MODEL[@KV][@int8]");
    add_input_option(command, options->input)->required();
    add_item_options(command, options->items);
    add_dataset_options(command, options->items);
    add_coin_option(command, options->seed);
    command
        .add_option("-o,--output", options->output,
                    "Where the report goes as JSON, beside the table")
        ->type_name("FILE");
    command.add_flag("--force", options->force, "Replace the file of -o if it is there");
    add_json_flag(command, options->json);
    add_quiet_flag(command, options->run.quiet);
    command.add_option("--max-new-tokens", options->max_new_tokens, "Longest feedback")
        ->check(integer_between(1, most_tokens))
        ->type_name("NUMBER");
    add_context_option(command, options->run.context);
    add_kv_option(command, options->run.kv);
    add_device_options(command, options->run);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command drift_command;
const Command drift_command{
    .name = "drift",
    .summary = "Tell what a weight format does to a judge",
    .description =
        "Grades items with a reference and with judges to test, all greedily. Each test also reads "
        "the reference's own texts: where its likeliest token is the reference's (agree), how well "
        "it expects them (perplexity), how far its distributions are from the reference's (KL, in "
        "nats per token; of the verdict where the reference stated it), and by how much its "
        "expected score differs there (score MAE). A flip is another verdict in a text of its own. "
        "The items that changed most are listed.\n"
        "In JSON: reference {model, kv, activations, bytes, bytes_by_format, items, tokens, "
        "perplexity, "
        "unscored: "
        "[{id, reason, error}]}; tests: [{model, kv, activations, bytes, bytes_by_format, "
        "token_agreement, "
        "perplexity, kl_mean, kl_median, verdict_kl, expected_score_mae, unscored, flips, absolute "
        "{items, flips, score_changes}, relative {items, flips, a_to_b, b_to_a}, items: [{id, "
        "mode, "
        "reference and test {verdict, probability, probabilities}, flipped, tokens, "
        "token_agreement, kl_mean, verdict_kl}]}].",
    .example = "assay drift --reference demo@f32 --test demo --test demo@q8_0 -i items.jsonl",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
