#include "grader/cli/quantised.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "grader/cli/terminal.h"
#include "grader/stopwatch.h"
#include "model/memory_plan.h"
#include "runtime/device.h"
#include "runtime/error.h"
#include "runtime/hash.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

// Changes when models quantised before are to be made anew.
constexpr const char* quantiser_version = "1";

std::vector<fs::path> files_of(const fs::path& model) {
    if (!fs::is_directory(model)) return {model};
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(model))
        if (entry.is_regular_file()) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

// A hash of the names, sizes and times of a model's files.
std::uint64_t fingerprint(const fs::path& model) {
    std::uint64_t hash = fnv1a(std::string(quantiser_version) + "\n");
    const auto add = [&](const std::string& text) { hash = fnv1a(text + "\n", hash); };
    for (const fs::path& file : files_of(fs::canonical(model))) {
        add(file.string());
        add(std::to_string(fs::file_size(file)));
        add(std::to_string(fs::last_write_time(file).time_since_epoch().count()));
    }
    return hash;
}

fs::path cached_copy(const RunOptions& options, const fs::path& model, const std::string& name) {
    char hash[20];
    std::snprintf(hash, sizeof hash, "%016llx",
                  static_cast<unsigned long long>(fingerprint(model)));
    std::string type(find_mix(options.quantize)->name), file = name;
    std::ranges::transform(type, type.begin(), [](unsigned char c) { return std::tolower(c); });
    std::ranges::replace(file, '/', '-');
    const fs::path folder = options.quantize_cache.empty() ? default_cache_folder() / "quantised"
                                                           : fs::path(options.quantize_cache);
    return folder / (file + "-" + hash + "-" + type + ".gguf");
}

}  // namespace

std::string type_list(bool with_bits) {
    std::string list;
    for (const Mix& mix : mixes()) {
        list += (list.empty() ? "" : ", ") + std::string(mix.name);
        char bits[16];
        std::snprintf(bits, sizeof bits, " %.2f", bits_per_weight(mix));
        if (with_bits) list += bits;
    }
    return list;
}

CLI::Validator a_type() {
    return CLI::Validator(
        [](const std::string& name) {
            return find_mix(name)
                       ? std::string()
                       : "\"" + name + "\" given, one of " + type_list(false) + " expected";
        },
        "");
}

void add_quantize_options(CLI::App& command, RunOptions& options) {
    command
        .add_option("--quantize", options.quantize,
                    "Load a copy of the model in this format (see `assay quantize --help`), which "
                    "is made at the first run and kept")
        ->check(a_type())
        ->type_name("TYPE");
    command
        .add_option("--quantize-cache", options.quantize_cache,
                    "Where such copies are kept (default: in the user's cache folder)")
        ->type_name("FOLDER");
}

QuantisedModel quantise_with_progress(const Checkpoint& from, const fs::path& to, const Mix& mix,
                                      const QuantiseOptions& options, bool quiet) {
    const Stopwatch watch;
    Progress progress(quiet);
    return quantise_model(from, to, mix, options, [&](std::uint64_t done, std::uint64_t total) {
        const double speed = static_cast<double>(done) / std::max(watch.seconds(), 1e-3);
        progress.update(static_cast<double>(done) / static_cast<double>(total),
                        "quantising " + bytes_text(done) + " of " + bytes_text(total) + ", " +
                            bytes_text(static_cast<std::uint64_t>(speed)) + "/s");
    });
}

fs::path model_path(const RunOptions& options) {
    const fs::path model = resolve_model(options.model);
    if (options.quantize.empty()) return model;
    const Checkpoint checkpoint(model);
    const fs::path copy = cached_copy(options, model, checkpoint.name());
    const bool there = fs::exists(copy);
    if (!options.quiet)
        std::fprintf(stderr, "%s %s\n", there ? "quantised before:" : "quantising to",
                     copy.c_str());
    if (there) return copy;
    std::error_code failed;
    fs::create_directories(copy.parent_path(), failed);
    if (failed) throw Error(copy.parent_path().string() + ": " + failed.message());
    quantise_with_progress(checkpoint, copy, *find_mix(options.quantize),
                           {.threads = std::max(std::thread::hardware_concurrency(), 1U)},
                           options.quiet);
    return copy;
}

}  // namespace assay::cli
