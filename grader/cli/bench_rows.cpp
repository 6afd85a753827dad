#include "grader/cli/bench_rows.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grader/cli/bench_support.h"
#include "grader/cli/commands.h"
#include "grader/cli/quantised.h"
#include "grader/cli/row_costs.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t most_rows = 1024;

// Sequences of random tokens, all with the same number of positions.
class Texts {
public:
    Texts(Session& session, const BenchRowsOptions& options)
        : engine_(session.engine()),
          device_(*session.devices().front()),
          past_(options.past),
          next_(random_tokens(options.last, session.config().vocab_size)) {
        Progress progress(options.run.quiet);
        for (std::uint32_t i = 0; i < options.last; ++i) {
            progress.update(static_cast<double>(i) / options.last,
                            "reading text " + std::to_string(i + 1));
            sequences_.push_back(std::make_unique<Sequence>(engine_));
            const auto tokens = random_tokens(past_, session.config().vocab_size, i + 1);
            const Work work{.sequence = sequences_.back().get(), .tokens = tokens};
            engine_.step({&work, 1});
        }
    }

    // Seconds of a step that adds a token to each of the first `rows`, time spent compiling left
    // out. They are then as before.
    double step(std::uint32_t rows) {
        std::vector<Work> work;
        for (std::uint32_t i = 0; i < rows; ++i)
            work.push_back(
                {.sequence = sequences_[i].get(), .tokens = {&next_[i], 1}, .sample = true});
        const double compiled = device_.compile_seconds();
        const Stopwatch watch;
        engine_.step(work);
        const double seconds = watch.seconds() - (device_.compile_seconds() - compiled);
        for (std::uint32_t i = 0; i < rows; ++i) sequences_[i]->truncate(past_);
        return seconds;
    }

private:
    Engine& engine_;
    Device& device_;
    std::uint32_t past_;
    std::vector<TokenId> next_;  // of each sequence
    std::vector<std::unique_ptr<Sequence>> sequences_;
};

// Numbers of rows are gone through up and down in turn, so that what is compared is measured side
// by side and a machine that grows slower or faster favours none.
std::vector<RowCost> measure(Texts& texts, const BenchRowsOptions& options) {
    for (std::uint32_t rows = options.first; rows <= options.last; ++rows)
        texts.step(rows);  // compiles
    std::vector<std::vector<double>> seconds(options.last - options.first + 1);
    Progress progress(options.run.quiet);
    for (std::uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
        progress.update(
            static_cast<double>(repeat) / options.repeats,
            "repeat " + std::to_string(repeat + 1) + " of " + std::to_string(options.repeats));
        for (std::uint32_t i = 0; i < seconds.size(); ++i) {
            const std::uint32_t rows = repeat % 2 ? options.last - i : options.first + i;
            seconds[rows - options.first].push_back(texts.step(rows));
        }
    }
    return row_costs(options.first, std::move(seconds));
}

void print_json(const std::vector<RowCost>& costs, const RowCost& worst,
                const BenchRowsOptions& options, const DeviceInfo& device, const Judge& judge) {
    Json rows = Json::array();
    for (const RowCost& cost : costs)
        rows.push_back({{"rows", cost.rows},
                        {"median", cost.median_seconds()},
                        {"least", std::ranges::min(cost.seconds)},
                        {"ratio", cost.ratios.empty() ? Json() : Json(cost.ratio())}});
    const Json json{{"version", ASSAY_VERSION},
                    {"device", {{"name", device.name}, {"driver", device.driver}}},
                    {"model", {{"name", judge.model}, {"quant", judge.quant}}},
                    {"past", options.past},
                    {"repeats", options.repeats},
                    {"steps", rows},  // in seconds
                    {"worst", {{"rows", worst.rows}, {"ratio", worst.ratio()}}}};
    std::printf("%s\n", json.dump(2).c_str());
}

void print(const std::vector<RowCost>& costs, const RowCost& worst, const BenchRowsOptions& options,
           const DeviceInfo& device, const Judge& judge) {
    if (device.is_cpu)
        std::printf("On a CPU implementation of Vulkan: the numbers say nothing about GPUs.\n");
    std::printf("%s, %s; %s, %s; %u positions behind each row, medians of %u\n",
                device.name.c_str(), device.driver.c_str(), judge.model.c_str(),
                judge.quant.c_str(), options.past, options.repeats);
    std::printf("%5s %10s %10s %11s %10s\n", "rows", "ms", "ms a row", "to one less", "tokens/s");
    for (const RowCost& cost : costs) {
        const double seconds = cost.median_seconds();
        const std::string ratio =
            cost.ratios.empty() ? "-" : std::to_string(cost.ratio()).substr(0, 5);
        std::printf("%5u %10.3f %10.3f %11s %10.1f\n", cost.rows, seconds * 1e3,
                    seconds * 1e3 / cost.rows, ratio.c_str(), cost.rows / seconds);
    }
    if (costs.size() > 1)
        std::printf("The worst: %u rows take %.3f times as long as %u; %.3f is allowed\n",
                    worst.rows, worst.ratio(), worst.rows - 1, worst.most_ratio());
}

struct Range {
    std::uint32_t first, last;
};

// "1-64"; nothing if it is no range of row counts.
std::optional<Range> parse_range(const std::string& text) {
    Range range{};
    char rest = 0;
    const bool two = std::sscanf(text.c_str(), "%4u-%4u%c", &range.first, &range.last, &rest) == 2;
    const bool valid =
        two && range.first >= 1 && range.first <= range.last && range.last <= most_rows;
    return valid ? std::optional(range) : std::nullopt;
}

}  // namespace

void add_bench_rows_options(CLI::App& command, BenchRowsOptions& options) {
    add_model_option(command, options.run.model);
    add_quantize_options(command, options.run);
    command
        .add_option_function<std::string>(
            "--rows",
            [&options](const std::string& text) {
                const Range range = *parse_range(text);
                options.first = range.first;
                options.last = range.last;
            },
            "Sequences in a step, from the first number to the last (default: 1-64)")
        ->check([](const std::string& text) {
            return parse_range(text) ? std::string()
                                     : "\"" + text + "\" given, a range like 1-64 up to " +
                                           std::to_string(most_rows) + " expected";
        })
        ->type_name("RANGE");
    command.add_option("--past", options.past, "Positions that each sequence has already")
        ->check(integer_between(1, most_tokens))
        ->capture_default_str()
        ->type_name("NUMBER");
    command.add_option("--repeats", options.repeats, "Times each is measured; medians are shown")
        ->check(integer_between(1, 1 << 20))
        ->capture_default_str()
        ->type_name("NUMBER");
    command.add_flag(
        "--check", options.check,
        "End with exit code 1 if a row more makes a step over 15 % longer, or over its "
        "share where there are few");
    add_kv_option(command, options.run.kv);
    add_activations_option(command, options.run.int8_activations);
    add_device_options(command, options.run);
    add_json_flag(command, options.json);
    add_quiet_flag(command, options.run.quiet);
}

int bench_rows(BenchRowsOptions options) {
    options.run.context = options.past + 1;
    options.run.sequences = options.last;
    Session session(options.run);
    Texts texts(session, options);
    const auto costs = measure(texts, options);
    const RowCost& worst = worst_of(costs);
    (options.json ? print_json : print)(costs, worst, options, session.devices().front()->info(),
                                        describe_judge(session.checkpoint()));
    session.finish();
    return options.check && worst.too_much() ? exit_code::failed : exit_code::done;
}

}  // namespace assay::cli
