#include "grader/cli/bench_model.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grader/cli/bench_support.h"
#include "grader/cli/commands.h"
#include "grader/cli/quantised.h"
#include "grader/cli/session.h"
#include "grader/cli/terminal.h"
#include "runtime/copy_rate.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// Compiled kernels are kept in an empty folder of this run's own while this lives, by Assay and by
// the drivers that are known to keep some: a start like the first one on a machine.
class ColdCaches {
public:
    ColdCaches() {
        std::string name = (fs::temp_directory_path() / "assay-cold-XXXXXX").string();
        if (!mkdtemp(name.data())) throw Error(name + ": the folder could not be made");
        folder_ = name;
        for (const char* variable :
             {"XDG_CACHE_HOME", "MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"})
            setenv(variable, name.c_str(), 1);
    }
    ~ColdCaches() {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }
    ColdCaches(const ColdCaches&) = delete;
    ColdCaches& operator=(const ColdCaches&) = delete;

private:
    fs::path folder_;
};

bool has_pipeline_cache() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(default_cache_folder(), error))
        if (entry.path().filename().string().starts_with("pipelines-")) return true;
    return false;
}

// Tokens a second over the repeats.
struct Rate {
    double median, least, most;
};

Rate rate_of(const std::vector<double>& rates) {
    const auto [least, most] = std::ranges::minmax(rates);
    return {median(rates), least, most};
}

struct Results {
    DeviceInfo device;
    std::string model, quant;
    double open_seconds, load_seconds, first_token_seconds, compile_seconds;
    bool pipeline_cache_found;
    std::uint64_t file_bytes, bytes_per_token;
    double copy_rate;  // bytes a second
    Rate prefill, decode;
    std::uint64_t device_peak_bytes, host_peak_bytes;

    double load_rate() const { return static_cast<double>(file_bytes) / load_seconds; }
    double decode_share() const {
        return decode.median * static_cast<double>(bytes_per_token) / copy_rate;
    }
};

// What writing one token reads: every weight once, of the embedding a single row, of the experts
// those that the token is routed to.
std::uint64_t weights_read_per_token(const Checkpoint& checkpoint) {
    const Config& config = checkpoint.config();
    std::uint64_t bytes = 0, expert_bytes = 0;
    for (const FileTensor& tensor : checkpoint.tensors())
        if (tensor.name.find(".experts.") != std::string::npos)
            expert_bytes += tensor.data.size();
        else if (tensor.name != "model.embed_tokens.weight" || config.tie_word_embeddings)
            bytes += tensor.data.size();
    if (expert_bytes != 0)
        bytes += expert_bytes / config.num_local_experts * config.num_experts_per_tok;
    return bytes;
}

std::uint64_t file_bytes(const Checkpoint& checkpoint) {
    std::uint64_t bytes = 0;
    for (const FileTensor& tensor : checkpoint.tensors()) bytes += tensor.data.size();
    return bytes;
}

// The most memory this process has had at once.
std::uint64_t host_peak_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (std::uint64_t kib = 0; word == "VmHWM:" && status >> kib) return kib * 1024;
    return 0;
}

class Timer {
public:
    Timer(Session& session, const BenchModelOptions& options)
        : engine_(session.engine()),
          device_(*session.devices().front()),
          sequence_(engine_),
          prompt_(random_tokens(options.prompt, session.config().vocab_size)),
          generate_(options.generate) {}

    // Seconds until the first token of a prompt that runs every kernel of prefill and decode.
    double warm_up() {
        const Stopwatch watch;
        const std::size_t length = std::min<std::size_t>(prompt_.size(), warm_up_tokens);
        const TokenId token = step(std::span(prompt_).first(length));
        step({&token, 1});
        const double seconds = watch.seconds();
        sequence_.truncate(0);
        return seconds;
    }

    // Tokens a second, time spent compiling left out.
    void repeat(std::vector<double>& prefill, std::vector<double>& decode) {
        sequence_.truncate(0);
        TokenId token = 0;
        prefill.push_back(rate(prompt_.size(), [&] { token = step(prompt_); }));
        decode.push_back(rate(generate_, [&] {
            for (std::uint32_t i = 0; i < generate_; ++i) token = step({&token, 1});
        }));
    }

private:
    static constexpr std::size_t warm_up_tokens = 80;  // more than kernels for few rows serve

    TokenId step(std::span<const TokenId> tokens) {
        const Work work{.sequence = &sequence_, .tokens = tokens, .sample = true};
        return engine_.step({&work, 1}).front().tokens.front();
    }

    template <class Function>
    double rate(std::size_t tokens, Function work) {
        const double compiled = device_.compile_seconds();
        const Stopwatch watch;
        work();
        return static_cast<double>(tokens) /
               (watch.seconds() - (device_.compile_seconds() - compiled));
    }

    Engine& engine_;
    Device& device_;
    Sequence sequence_;
    std::vector<TokenId> prompt_;
    std::uint32_t generate_;
};

Results measure(const BenchModelOptions& options, const fs::path& model) {
    Results results{};
    results.pipeline_cache_found = has_pipeline_cache();
    Session session(options.run, Checkpoint(model));
    results.device = session.devices().front()->info();
    const Judge judge = describe_judge(session.checkpoint());
    results.model = judge.model;
    results.quant = judge.quant;
    results.open_seconds = session.open_seconds();
    results.load_seconds = session.load_seconds();
    results.file_bytes = file_bytes(session.checkpoint());
    results.bytes_per_token = weights_read_per_token(session.checkpoint());

    Timer timer(session, options);
    results.first_token_seconds = timer.warm_up();
    results.compile_seconds = session.devices().front()->compile_seconds();
    std::vector<double> prefill, decode;
    {
        Progress progress(options.run.quiet);
        for (std::uint32_t i = 0; i < options.repeats; ++i) {
            progress.update(
                static_cast<double>(i) / options.repeats,
                "repeat " + std::to_string(i + 1) + " of " + std::to_string(options.repeats));
            timer.repeat(prefill, decode);
        }
    }
    results.prefill = rate_of(prefill);
    results.decode = rate_of(decode);
    results.device_peak_bytes = session.devices().front()->peak_allocated_bytes();
    results.host_peak_bytes = host_peak_bytes();
    results.copy_rate = measure_copy_rate(*session.devices().front());
    session.finish();
    return results;
}

Json to_json(const Rate& rate) {
    return {{"median", rate.median}, {"least", rate.least}, {"most", rate.most}};
}

void print_json(const Results& r, const BenchModelOptions& options) {
    const Json json{
        {"version", ASSAY_VERSION},
        {"device", {{"name", r.device.name}, {"kind", r.device.kind}, {"driver", r.device.driver}}},
        {"model", {{"name", r.model}, {"quant", r.quant}, {"bytes", r.file_bytes}}},
        {"prompt_tokens", options.prompt},
        {"generated_tokens", options.generate},
        {"repeats", options.repeats},
        {"kv", info(options.run.kv).name},
        {"activations", activations_name(options.run.int8_activations)},
        {"start",
         {{"device_seconds", r.open_seconds},
          {"load_seconds", r.load_seconds},
          {"load_bytes_per_second", r.load_rate()},
          {"first_token_seconds", r.first_token_seconds},
          {"compile_seconds", r.compile_seconds},
          {"pipeline_cache_found", r.pipeline_cache_found}}},
        {"prefill_tokens_per_second", to_json(r.prefill)},
        {"decode_tokens_per_second", to_json(r.decode)},
        {"copy_bytes_per_second", r.copy_rate},
        {"bytes_read_per_token", r.bytes_per_token},
        {"decode_share_of_copy", r.decode_share()},
        {"device_peak_bytes", r.device_peak_bytes},
        {"host_peak_bytes", r.host_peak_bytes}};
    std::printf("%s\n", json.dump(2).c_str());
}

std::string text(const char* format, auto... values) {
    char line[200];
    std::snprintf(line, sizeof line, format, values...);
    return line;
}

std::string rate_text(double bytes_per_second) {
    return bytes_text(static_cast<std::uint64_t>(bytes_per_second)) + "/s";
}

void print(const Results& r, const BenchModelOptions& options) {
    const auto row = [](const char* what, const std::string& value) {
        std::printf("%-10s %s\n", what, value.c_str());
    };
    const auto rates = [](std::uint32_t tokens, const Rate& rate) {
        return text("%u tokens at %.2f tokens/s (%.2f to %.2f)", tokens, rate.median, rate.least,
                    rate.most);
    };
    if (r.device.is_cpu)
        std::printf("On a CPU implementation of Vulkan: the numbers say nothing about GPUs.\n");
    row("device", r.device.name + ", " + r.device.driver);
    row("model",
        r.model + ", " + r.quant + ", " + bytes_text(r.file_bytes) + "; assay " ASSAY_VERSION);
    row("load", text("%.3f s, ", r.load_seconds) + rate_text(r.load_rate()));
    row("start", text("device %.3f s, first token %.3f s, of it compiling %.3f s (%s)",
                      r.open_seconds, r.first_token_seconds, r.compile_seconds,
                      r.pipeline_cache_found ? "warm: with a pipeline cache"
                                             : "cold: without a pipeline cache"));
    row("prefill", rates(options.prompt, r.prefill));
    row("decode", rates(options.generate, r.decode) +
                      text(", %.1f %% of the copy rate", 100 * r.decode_share()));
    row("copy", rate_text(r.copy_rate) + ", read and written together");
    row("memory", bytes_text(r.device_peak_bytes) + " on the device, " +
                      bytes_text(r.host_peak_bytes) + " of the process" +
                      (r.device.is_cpu ? ", the device's among them" : ""));
}

}  // namespace

void add_bench_model_options(CLI::App& command, BenchModelOptions& options) {
    const auto count = [&](const char* flag, std::uint32_t& value, const char* help) {
        command.add_option(flag, value, help)
            ->check(integer_between(1, 1 << 20))
            ->capture_default_str()
            ->type_name("NUMBER");
    };
    add_model_option(command, options.run.model);
    add_quantize_options(command, options.run);
    count("--prompt", options.prompt, "Tokens of the prompt");
    count("--generate", options.generate, "Tokens written after it");
    count("--repeats", options.repeats, "Times both are done; medians are shown");
    command.add_flag("--cold", options.cold,
                     "Start as on a new machine: what was compiled before is not used");
    add_kv_option(command, options.run.kv);
    add_activations_option(command, options.run.int8_activations);
    add_device_options(command, options.run);
    add_json_flag(command, options.json);
    add_quiet_flag(command, options.run.quiet);
}

int bench_model(BenchModelOptions options) {
    options.run.context = options.prompt + options.generate;
    const fs::path model = model_path(options.run);  // which may lie in a cache
    std::optional<ColdCaches> cold;
    if (options.cold) {
        cold.emplace();
        options.run.tuned = false;  // else the first use of a GPU takes a minute
    }
    const Results results = measure(options, model);
    if (options.json)
        print_json(results, options);
    else
        print(results, options);
    return exit_code::done;
}

}  // namespace assay::cli
