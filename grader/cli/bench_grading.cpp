#include "grader/cli/bench_grading.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "grader/cli/bench_support.h"
#include "grader/cli/commands.h"
#include "grader/cli/output_file.h"
#include "grader/cli/quantised.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"
#include "model/engine/scheduler.h"
#include "runtime/cache.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

// What an item asks for. All prompts begin with the same tokens, as those of a profile do; those of
// an item have its instruction in common as well.
struct Shape {
    const char* name;
    const char* what;
    std::uint32_t prompts;                               // of an item
    std::uint32_t prompt, common, instruction, written;  // tokens; prompt: all of it
};
constexpr Shape shapes[] = {
    {"absolute", "P1100/D140", 1, 1100, 230, 0, 140},
    {"pairs", "P500/D100, both orders", 2, 500, 230, 80, 100},
    {"long", "P3000/D200", 1, 3000, 230, 0, 200},
    {"verdict-only", "P1100, no text", 1, 1100, 230, 0, 0},
};

std::string shape_names() {
    std::string names;
    for (const Shape& shape : shapes)
        names += (names.empty() ? "" : ", ") + std::string(shape.name);
    return names;
}

struct Run {
    const Shape* shape;
    std::uint32_t at_once, items;
    double seconds;
    SchedulerStats stats;
    std::vector<std::vector<TokenId>> prompts;  // in the order in which they came

    double rate(std::uint64_t count) const { return static_cast<double>(count) / seconds; }
    double cached_share() const {
        return static_cast<double>(stats.cached_tokens) / static_cast<double>(stats.prompt_tokens);
    }
};

// Prompts of random tokens, none of which any other run has.
class Prompts {
public:
    explicit Prompts(std::uint32_t vocabulary) : vocabulary_(vocabulary) {}

    void begin_run(const Shape& shape) { common_ = random(shape.common); }
    void begin_item(const Shape& shape) { instruction_ = random(shape.instruction); }
    std::vector<TokenId> prompt(const Shape& shape) {
        std::vector<TokenId> tokens = common_;
        tokens.insert(tokens.end(), instruction_.begin(), instruction_.end());
        const auto own = random(shape.prompt - shape.common - shape.instruction);
        tokens.insert(tokens.end(), own.begin(), own.end());
        return tokens;
    }

private:
    std::vector<TokenId> random(std::uint32_t count) {
        return random_tokens(count, vocabulary_, ++made_);
    }

    std::uint32_t vocabulary_, made_ = 0;
    std::vector<TokenId> common_, instruction_;
};

Run measure(Session& session, const BenchGradingOptions& options, const Shape& shape,
            std::uint32_t at_once, std::uint32_t items, Prompts& prompts, Progress& progress) {
    Scheduler scheduler(session.engine(),
                        {.speculate = options.run.speculate, .sequences = at_once});
    prompts.begin_run(shape);
    std::vector<std::vector<TokenId>> submitted;
    std::uint32_t ended = 0, begun = 0;
    const auto begin_item = [&] {
        prompts.begin_item(shape);
        for (std::uint32_t i = 0; i < shape.prompts; ++i) {
            submitted.push_back(prompts.prompt(shape));
            scheduler.submit({.prompt = submitted.back(),
                              .max_new_tokens = shape.written,
                              .asked = {1, 2, 3, 4, 5},
                              .endless = true,
                              .on_end = [&](const Generation&) { ++ended; }});
        }
        ++begun;
    };
    Device& device = *session.devices().front();
    const double compiled = device.compile_seconds();
    const Stopwatch watch;
    for (;;) {
        while (begun < items && scheduler.room() > 0) begin_item();
        if (!scheduler.step()) break;
        progress.update(static_cast<double>(ended) / (items * shape.prompts),
                        std::string(shape.name) + ", " + std::to_string(at_once) + " at once");
    }
    return {&shape,
            at_once,
            items,
            watch.seconds() - (device.compile_seconds() - compiled),
            scheduler.stats(),
            std::move(submitted)};
}

Json to_json(const Run& run) {
    return {{"shape", run.shape->name},
            {"prompt", run.shape->prompt},
            {"written", run.shape->written},
            {"at_once", run.at_once},
            {"items", run.items},
            {"seconds", run.seconds},
            {"items_per_second", run.rate(run.items)},
            {"prompt_tokens_per_second", run.rate(run.stats.prompt_tokens)},
            {"written_tokens_per_second", run.rate(run.stats.written_tokens)},
            {"cached_share", run.cached_share()},
            {"steps", run.stats.steps},
            {"preemptions", run.stats.preemptions},
            {"guessed", run.stats.guessed_tokens},
            {"accepted", run.stats.accepted_tokens}};
}

// One line for each prompt: what another program must read and write to do the same.
std::string prompt_lines(const Run& run) {
    std::string lines;
    for (const std::vector<TokenId>& ids : run.prompts)
        lines += json_text({{"shape", run.shape->name},
                            {"at_once", run.at_once},
                            {"written", run.shape->written},
                            {"ids", ids}},
                           -1);
    return lines;
}

void print_row(const Run& run) {
    std::printf("%-13s %-24s %7u %6u %10.3g %12.4g %12.4g %8.0f %%%s\n", run.shape->name,
                run.shape->what, run.at_once, run.items, run.rate(run.items),
                run.rate(run.stats.prompt_tokens), run.rate(run.stats.written_tokens),
                100 * run.cached_share(),
                run.stats.preemptions > 0 ? "  fewer at once: memory ran out" : "");
    std::fflush(stdout);
}

std::vector<const Shape*> chosen_shapes(const BenchGradingOptions& options) {
    std::vector<const Shape*> chosen;
    for (const Shape& shape : shapes)
        if (options.shapes.empty() || std::ranges::count(options.shapes, shape.name))
            chosen.push_back(&shape);
    return chosen;
}

}  // namespace

void add_bench_grading_options(CLI::App& command, BenchGradingOptions& options) {
    add_model_option(command, options.run.model);
    add_quantize_options(command, options.run);
    std::vector<std::string> names;
    for (const Shape& shape : shapes) names.emplace_back(shape.name);
    command
        .add_option("--shapes", options.shapes,
                    "What items ask for, separated by commas: " + shape_names() + " (default: all)")
        ->delimiter(',')
        ->check(one_of(names))
        ->type_name("SHAPES");
    command
        .add_option("--at-once", options.texts,
                    "Texts written at once, separated by commas (default: 1,8,32,64)")
        ->delimiter(',')
        ->check(integer_between(1, 4096))
        ->type_name("NUMBERS");
    command
        .add_option("--items", options.items,
                    "Items of a run (default: twice as many as texts at once, 8 at least)")
        ->check(integer_between(1, 1 << 20))
        ->type_name("NUMBER");
    command
        .add_option("--prompts", options.prompts,
                    "Write the token ids of the timed prompts, for other programs to read the same")
        ->type_name("FILE");
    command.add_flag("!--no-speculation", options.run.speculate, "Guess no tokens");
    command.add_flag("--batch-invariant", options.run.batch_invariant,
                     "The same bits whatever the number of texts");
    add_kv_option(command, options.run.kv);
    add_activations_option(command, options.run.int8_activations);
    add_device_options(command, options.run);
    add_json_flag(command, options.json);
    add_quiet_flag(command, options.run.quiet);
}

int bench_grading(BenchGradingOptions options) {
    const std::filesystem::path model = model_path(options.run);
    Checkpoint checkpoint(model);
    std::vector<const Shape*> fitting;
    for (const Shape* shape : chosen_shapes(options))
        if (shape->prompt + shape->written <= checkpoint.config().max_position_embeddings) {
            fitting.push_back(shape);
            options.run.context = std::max(options.run.context, shape->prompt + shape->written);
        } else if (!options.run.quiet) {
            std::fprintf(stderr, "%s is left out: the model takes %u tokens\n", shape->name,
                         checkpoint.config().max_position_embeddings);
        }
    if (fitting.empty()) throw Error("no shape is short enough for the model");
    options.run.sequences = std::ranges::max(options.texts);
    std::optional<ReportFile> prompts_file = report_file(options.prompts, {model.string()});
    Session session(options.run, std::move(checkpoint));
    const DeviceInfo& device = session.devices().front()->info();
    const Judge judge = describe_judge(session.checkpoint());
    if (!options.json) {
        if (device.is_cpu)
            std::printf("On a CPU implementation of Vulkan: the numbers say nothing about GPUs.\n");
        std::printf("%s, %s; %s, %s\n", device.name.c_str(), device.driver.c_str(),
                    judge.model.c_str(), judge.quant.c_str());
        std::printf("%-13s %-24s %7s %6s %10s %12s %12s %10s\n", "shape", "tokens", "at once",
                    "items", "items/s", "read/s", "written/s", "cached");
    }
    Prompts prompts(session.config().vocab_size);
    Progress progress(options.run.quiet);
    Json runs = Json::array();
    std::string timed_prompts;
    for (const Shape* shape : fitting)
        for (const std::uint32_t at_once : options.texts) {
            // Kernels are compiled before anything is timed.
            measure(session, options, *shape, at_once, at_once, prompts, progress);
            const std::uint32_t items = options.items ? options.items : std::max(2 * at_once, 8u);
            const Run run = measure(session, options, *shape, at_once, items, prompts, progress);
            progress.clear();
            if (prompts_file) timed_prompts += prompt_lines(run);
            if (options.json)
                runs.push_back(to_json(run));
            else
                print_row(run);
        }
    if (prompts_file) prompts_file->write(timed_prompts);
    if (options.json) {
        const Json json{{"version", ASSAY_VERSION},
                        {"device", {{"name", device.name}, {"driver", device.driver}}},
                        {"model", {{"name", judge.model}, {"quant", judge.quant}}},
                        {"kv", info(options.run.kv).name},
                        {"activations", activations_name(options.run.int8_activations)},
                        {"batch_invariant", options.run.batch_invariant},
                        {"speculation", options.run.speculate},
                        {"runs", runs}};
        std::printf("%s\n", json.dump(2).c_str());
    }
    session.finish();
    return exit_code::done;
}

}  // namespace assay::cli
