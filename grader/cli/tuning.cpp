#include "grader/cli/tuning.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <string>
#include <utility>

#include "grader/cli/bench_support.h"
#include "grader/cli/terminal.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

void warn(const std::string& line) { std::fprintf(stderr, "assay: %s\n", line.c_str()); }

std::string names_of(const std::vector<Format>& formats) {
    std::string names;
    for (const Format format : formats)
        names += (names.empty() ? "" : ", ") + std::string(info(format).name);
    return names;
}

}  // namespace

std::filesystem::path tuning_file(const Device& device) {
    return ops::tuning_file(device.info(), default_cache_folder());
}

void use_stored_tuning(Device& device) {
    const auto file = tuning_file(device);
    std::error_code error;
    if (!std::filesystem::exists(file, error)) return;
    try {
        ops::set_tuning(device, ops::read_tuning(device.info(), file));
    } catch (const Error& broken) {
        warn(std::string(broken.what()) + "; computing as usual (assay bench tune writes it anew)");
    }
}

ops::Tuning store_tuning(const Device& device, const bench::TuneOptions& options,
                         const bench::TuneReport& report) {
    const auto file = tuning_file(device);
    ops::Tuning tuning;
    try {
        tuning = ops::read_tuning(device.info(), file);
    } catch (const Error&) {
        // There is none, or none that can be used.
    }
    bench::adopt(report, options, utc_now(), tuning);
    ops::write_tuning(tuning, device.info(), file);
    return tuning;
}

bench::ModelShape shape_of(const Config& c) {
    return {.name = "model",
            .hidden = c.hidden_size,
            .heads = c.num_attention_heads,
            .kv_heads = c.num_key_value_heads,
            .head_dim = c.head_dim,
            .intermediate = c.intermediate_size,
            .vocabulary = c.vocab_size,
            .experts = c.num_local_experts,
            .experts_used = c.num_experts_per_tok,
            .dense = c.num_local_experts == 0};
}

bench::TuneOptions tune_options(const Checkpoint& checkpoint, const bench::ModelShape& shape) {
    constexpr double least_share = 0.02;  // of the weights, for a format to matter
    const auto bytes = checkpoint.bytes_by_format();
    std::vector<std::pair<Format, std::uint64_t>> formats(bytes.begin(), bytes.end());
    std::ranges::sort(formats, std::greater(), [](const auto& entry) { return entry.second; });
    const auto all = static_cast<double>(
        std::accumulate(formats.begin(), formats.end(), std::uint64_t{0},
                        [](std::uint64_t sum, const auto& entry) { return sum + entry.second; }));
    bench::TuneOptions options{.formats = {}, .shapes = bench::shapes_to_tune(shape)};
    for (const auto& [format, size] : formats)
        if (static_cast<double>(size) >= least_share * all) options.formats.push_back(format);
    return options;
}

void tune_on_first_use(const RunOptions& options, const Checkpoint& checkpoint,
                       const std::vector<std::unique_ptr<Device>>& devices) {
    if (!options.tuned || !options.keep_pipelines || options.batch_invariant) return;
    if (!options.disabled.empty()) return;  // what is kept holds for runs with all tiers
    const bench::ModelShape shape = shape_of(checkpoint.config());
    for (const auto& device : devices) {
        bench::TuneOptions tuning = tune_options(checkpoint, shape);
        tuning.int8 = options.int8_activations;
        tuning = bench::untried(std::move(tuning), ops::tuning(*device));
        if (device->info().is_cpu || tuning.formats.empty()) continue;
        warn(device->info().name + ": measuring how it multiplies matrices in " +
             names_of(tuning.formats) + " fastest, once, a minute (--no-tune: not now)");
        bench::TuneReport report;
        try {
            // Of its own, so that what is tried is not among the pipelines that are kept.
            Device trial(
                {.select = std::to_string(device->info().index), .disabled = options.disabled});
            Progress progress(options.quiet);
            report = bench::tune(
                trial, tuning,
                {.on_class = [&](const std::string& what,
                                 double share) { progress.update(share, "tuning " + what); },
                 .on_result = [](const bench::TunedClass&) {}});
        } catch (const Error& failed) {
            warn("not tuned: " + std::string(failed.what()) + " (assay bench tune tries again)");
        }
        try {
            const ops::Tuning found = store_tuning(*device, tuning, report);
            for (const auto& other : devices)  // of the same kind
                if (tuning_file(*other) == tuning_file(*device)) ops::set_tuning(*other, found);
        } catch (const Error& failed) {
            warn(failed.what());
        }
    }
}

}  // namespace assay::cli
