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
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t most_rows = 1024;

// Of a step to the one with a row less: with few rows a row's share, else 15 %.
double most_ratio(std::uint32_t rows) { return std::max(1.15, rows / (rows - 1.0)); }

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

struct RowCount {
    std::uint32_t rows;
    std::vector<double> seconds;  // of each repeat
    std::vector<double> ratios;   // to the step with a row less; the first has none

    double median_seconds() const { return median(seconds); }
    double ratio() const { return ratios.empty() ? 0 : median(ratios); }
    // How much of what a row more may cost it costs.
    double excess() const { return ratios.empty() ? 0 : ratio() / most_ratio(rows); }
};

// Numbers of rows are gone through up and down in turn, so that what is compared is measured side
// by side and a machine that grows slower or faster favours none.
std::vector<RowCount> measure(Texts& texts, const BenchRowsOptions& options) {
    std::vector<RowCount> counts;
    for (std::uint32_t rows = options.first; rows <= options.last; ++rows) {
        counts.push_back({rows, {}, {}});
        texts.step(rows);  // compiles
    }
    Progress progress(options.run.quiet);
    for (std::uint32_t repeat = 0; repeat < options.repeats; ++repeat) {
        progress.update(
            static_cast<double>(repeat) / options.repeats,
            "repeat " + std::to_string(repeat + 1) + " of " + std::to_string(options.repeats));
        for (std::size_t i = 0; i < counts.size(); ++i) {
            RowCount& count = counts[repeat % 2 ? counts.size() - 1 - i : i];
            count.seconds.push_back(texts.step(count.rows));
        }
        for (std::size_t i = 1; i < counts.size(); ++i)
            counts[i].ratios.push_back(counts[i].seconds.back() / counts[i - 1].seconds.back());
    }
    return counts;
}

void print_json(const std::vector<RowCount>& counts, const RowCount& worst,
                const BenchRowsOptions& options, const DeviceInfo& device, const Judge& judge) {
    Json rows = Json::array();
    for (const RowCount& count : counts)
        rows.push_back({{"rows", count.rows},
                        {"median", count.median_seconds()},
                        {"least", std::ranges::min(count.seconds)},
                        {"ratio", count.ratios.empty() ? Json() : Json(count.ratio())}});
    const Json json{{"version", ASSAY_VERSION},
                    {"device", {{"name", device.name}, {"driver", device.driver}}},
                    {"model", {{"name", judge.model}, {"quant", judge.quant}}},
                    {"past", options.past},
                    {"repeats", options.repeats},
                    {"steps", rows},  // in seconds
                    {"worst", {{"rows", worst.rows}, {"ratio", worst.ratio()}}}};
    std::printf("%s\n", json.dump(2).c_str());
}

void print(const std::vector<RowCount>& counts, const RowCount& worst,
           const BenchRowsOptions& options, const DeviceInfo& device, const Judge& judge) {
    if (device.is_cpu)
        std::printf("On a CPU implementation of Vulkan: the numbers say nothing about GPUs.\n");
    std::printf("%s, %s; %s, %s; %u positions behind each row, medians of %u\n",
                device.name.c_str(), device.driver.c_str(), judge.model.c_str(),
                judge.quant.c_str(), options.past, options.repeats);
    std::printf("%5s %10s %10s %11s %10s\n", "rows", "ms", "ms a row", "to one less", "tokens/s");
    for (const RowCount& count : counts) {
        const double seconds = count.median_seconds();
        const std::string ratio =
            count.ratios.empty() ? "-" : std::to_string(count.ratio()).substr(0, 5);
        std::printf("%5u %10.3f %10.3f %11s %10.1f\n", count.rows, seconds * 1e3,
                    seconds * 1e3 / count.rows, ratio.c_str(), count.rows / seconds);
    }
    if (counts.size() > 1)
        std::printf("The worst: %u rows take %.3f times as long as %u; %.3f is allowed\n",
                    worst.rows, worst.ratio(), worst.rows - 1, most_ratio(worst.rows));
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
    add_device_options(command, options.run);
    add_json_flag(command, options.json);
    add_quiet_flag(command, options.run.quiet);
}

int bench_rows(BenchRowsOptions options) {
    options.run.context = options.past + 1;
    options.run.sequences = options.last;
    Session session(options.run);
    Texts texts(session, options);
    const auto counts = measure(texts, options);
    const RowCount& worst = *std::ranges::max_element(counts, {}, &RowCount::excess);
    (options.json ? print_json : print)(counts, worst, options, session.devices().front()->info(),
                                        describe_judge(session.checkpoint()));
    session.finish();
    return options.check && worst.excess() > 1 ? exit_code::failed : exit_code::done;
}

}  // namespace assay::cli
