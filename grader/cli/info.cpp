#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "grader/cli/quantised.h"
#include "grader/cli/session.h"
#include "model/checkpoint.h"
#include "model/memory_plan.h"
#include "runtime/device.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    RunOptions run;
    bool json = false;
};

struct FormatSum {
    std::uint64_t tensors = 0, bytes = 0, parameters = 0;
};

std::map<Format, FormatSum> sum_by_format(const Checkpoint& checkpoint) {
    std::map<Format, FormatSum> sums;
    for (const FileTensor& tensor : checkpoint.tensors()) {
        FormatSum& sum = sums[tensor.format];
        ++sum.tensors;
        sum.bytes += tensor.data.size();
        sum.parameters += tensor.rows() * tensor.columns();
    }
    return sums;
}

struct Totals {
    std::uint64_t tensors = 0, bytes = 0, parameters = 0;
    std::uint64_t active_parameters = 0;  // that one token is computed with
};

Totals totals(const Checkpoint& checkpoint) {
    Totals total;
    for (const auto& [format, sum] : sum_by_format(checkpoint)) {
        total.tensors += sum.tensors;
        total.bytes += sum.bytes;
        total.parameters += sum.parameters;
    }
    const Config& c = checkpoint.config();
    const std::uint64_t expert = std::uint64_t{3} * c.hidden_size * c.intermediate_size;
    total.active_parameters = total.parameters - expert * c.num_hidden_layers *
                                                     (c.num_local_experts - c.num_experts_per_tok);
    return total;
}

// A model that has none can still be run on token ids, as `assay logits` does.
struct OptionalTokenizer {
    std::optional<Tokenizer> tokenizer;
    std::string problem;  // why there is none
};

OptionalTokenizer tokenizer_of(const Checkpoint& checkpoint) {
    try {
        return {checkpoint.tokenizer(), ""};
    } catch (const Error& error) {
        return {std::nullopt, error.what()};
    }
}

struct Plan {
    EngineOptions engine;
    std::vector<Place> places;
    bool on_device = true;  // else the places are made up
    std::vector<MemoryPlan> shares;
};

// What scratch depends on, as most GPUs have it.
DeviceInfo usual_device() {
    DeviceInfo device;
    device.subgroup_size = 32;
    device.max_workgroup_invocations = 1024;
    return device;
}

// No Vulkan device is no reason not to describe a model, unless one was asked for.
Plan make_plan(const Checkpoint& checkpoint, const RunOptions& run) {
    Plan plan;
    try {
        plan.places = places_of(open_devices(run));
    } catch (const Error&) {
        if (!run.devices.empty()) throw;
        plan.places = {{usual_device(), 0}};
        plan.on_device = false;
    }
    plan.engine = engine_options(run, checkpoint, plan.places);
    plan.shares = plan_memory(checkpoint, plan.engine, plan.places, run.experts_on_host);
    return plan;
}

Json to_json(const Config& c) {
    return {{"hidden_size", c.hidden_size},
            {"intermediate_size", c.intermediate_size},
            {"num_hidden_layers", c.num_hidden_layers},
            {"num_attention_heads", c.num_attention_heads},
            {"num_key_value_heads", c.num_key_value_heads},
            {"head_dim", c.head_dim},
            {"vocab_size", c.vocab_size},
            {"max_position_embeddings", c.max_position_embeddings},
            {"sliding_window", c.sliding_window ? Json(c.sliding_window) : Json()},
            {"rms_norm_eps", c.rms_norm_eps},
            {"rope_theta", c.rope_theta},
            {"rope_scaling_factor", c.rope_scaling_factor},
            {"tie_word_embeddings", c.tie_word_embeddings},
            {"num_local_experts", c.num_local_experts},
            {"num_experts_per_tok", c.num_experts_per_tok},
            {"bos_token_id", c.bos_token_id},
            {"eos_token_ids", c.eos_token_ids}};
}

Json to_json(const Plan& plan, const Config& config) {
    Json shares = Json::array();
    for (std::size_t i = 0; i < plan.shares.size(); ++i) {
        const MemoryPlan& memory = plan.shares[i];
        Json share{{"first_layer", memory.share.first_layer},
                   {"layers", memory.share.end(config) - memory.share.first_layer},
                   {"weights_bytes", memory.weights},
                   {"kv_cache_bytes", memory.kv_cache},
                   {"scratch_bytes", memory.scratch},
                   {"total_bytes", memory.total()},
                   {"host_bytes", memory.host},
                   {"expert_slots", memory.expert_slots},
                   {"device", nullptr}};
        if (plan.on_device) {
            share["device"] = plan.places[i].device.name;
            share["free_bytes"] = memory.free;
            share["fits"] = memory.fits();
        }
        shares.push_back(share);
    }
    return {{"context", plan.engine.context},
            {"sequences", plan.engine.sequences},
            {"kv", info(plan.engine.kv).name},
            {"kv_tokens", plan.engine.blocks() * ops::block_slots},
            {"shares", shares}};
}

void print_json(const Checkpoint& checkpoint, const OptionalTokenizer& found, const Plan& plan) {
    Json formats = Json::object();
    for (const auto& [format, sum] : sum_by_format(checkpoint))
        formats[std::string(info(format).name)] = {
            {"tensors", sum.tensors}, {"bytes", sum.bytes}, {"parameters", sum.parameters}};
    const Totals total = totals(checkpoint);
    const Json json{
        {"name", checkpoint.name()},
        {"path", checkpoint.path().string()},
        {"architecture", checkpoint.config().architecture},
        {"config", to_json(checkpoint.config())},
        {"tokenizer_size", found.tokenizer ? Json(found.tokenizer->vocab_size()) : Json()},
        {"tensors", total.tensors},
        {"bytes", total.bytes},
        {"parameters", total.parameters},
        {"active_parameters", total.active_parameters},
        {"formats", formats},
        {"memory_plan", to_json(plan, checkpoint.config())}};
    std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void row(const char* what, const std::string& value) {
    std::printf("%-13s %s\n", what, value.c_str());
}

std::string attention_text(const Config& c) {
    return std::to_string(c.num_attention_heads) + " heads over " +
           std::to_string(c.num_key_value_heads) + " key-value heads of " +
           std::to_string(c.head_dim) + ", " +
           (c.sliding_window ? "window of " + std::to_string(c.sliding_window) + " positions"
                             : "no sliding window");
}

std::string rope_text(const Config& c) {
    char text[64];
    std::snprintf(text, sizeof text, "theta %g, scaling factor %g",
                  static_cast<double>(c.rope_theta), static_cast<double>(c.rope_scaling_factor));
    return text;
}

std::string eos_text(const Config& c) {
    std::string text;
    for (const std::uint32_t id : c.eos_token_ids)
        text += (text.empty() ? "" : ", ") + std::to_string(id);
    return text;
}

std::string count_text(std::uint64_t count) {
    char text[32];
    const auto value = static_cast<double>(count);
    if (count < 1'000'000'000)
        std::snprintf(text, sizeof text, "%.1f million", value * 1e-6);
    else
        std::snprintf(text, sizeof text, "%.2f billion", value * 1e-9);
    return text;
}

void print_config(const Config& c) {
    row("architecture", c.architecture);
    row("layers", std::to_string(c.num_hidden_layers) + " of " + std::to_string(c.hidden_size) +
                      ", feed-forward " + std::to_string(c.intermediate_size));
    if (c.num_local_experts != 0)
        row("experts", std::to_string(c.num_local_experts) + " in every layer, " +
                           std::to_string(c.num_experts_per_tok) + " used for a token");
    row("attention", attention_text(c));
    row("rope", rope_text(c));
    row("positions", "up to " + std::to_string(c.max_position_embeddings));
    row("vocabulary", std::to_string(c.vocab_size) + ", BOS " + std::to_string(c.bos_token_id) +
                          ", EOS " + eos_text(c) +
                          (c.tie_word_embeddings ? ", output tied to the embedding" : ""));
}

void print_tokenizer(const OptionalTokenizer& found) {
    row("tokenizer", found.tokenizer ? "SentencePiece, " +
                                           std::to_string(found.tokenizer->vocab_size()) + " pieces"
                                     : "none (" + found.problem + ")");
}

void print_formats(const Checkpoint& checkpoint) {
    const Totals total = totals(checkpoint);
    row("parameters", count_text(total.parameters) +
                          (total.active_parameters == total.parameters
                               ? ""
                               : ", " + count_text(total.active_parameters) + " used for a token"));
    row("weights", bytes_text(total.bytes) + " in " + std::to_string(total.tensors) + " tensors");
    for (const auto& [format, sum] : sum_by_format(checkpoint))
        row("", std::string(info(format).name) + ": " + bytes_text(sum.bytes) + " in " +
                    std::to_string(sum.tensors));
}

void print_plan(const Plan& plan, const Config& config) {
    row("memory plan", "up to " + std::to_string(plan.engine.sequences) +
                           " texts at a time of up to " + std::to_string(plan.engine.context) +
                           " tokens");
    for (std::size_t i = 0; i < plan.shares.size(); ++i) {
        const MemoryPlan& memory = plan.shares[i];
        const std::uint32_t layers = memory.share.end(config) - memory.share.first_layer;
        row("", (plan.shares.size() > 1 ? std::to_string(layers) + " layers: " : "") +
                    bytes_text(memory.total()) + ": weights " + bytes_text(memory.weights) +
                    ", KV cache " + bytes_text(memory.kv_cache) + " (" +
                    std::to_string(plan.engine.blocks() * ops::block_slots) + " tokens, " +
                    std::string(info(plan.engine.kv).name) + "), scratch " +
                    bytes_text(memory.scratch));
        if (memory.host != 0)
            row("", "experts: " + bytes_text(memory.host) + " in host memory, " +
                        std::to_string(memory.expert_slots) + " of " +
                        std::to_string(layers * config.num_local_experts) + " on the device");
        row("", plan.on_device ? plan.places[i].device.name + " has " + bytes_text(memory.free) +
                                     " free: " + (memory.fits() ? "it fits" : "it does not fit")
                               : "no Vulkan device here to compare it with");
    }
}

int run(const Options& options) {
    const Checkpoint checkpoint(model_path(options.run));
    const OptionalTokenizer tokenizer = tokenizer_of(checkpoint);
    const Plan plan = make_plan(checkpoint, options.run);
    if (options.json) {
        print_json(checkpoint, tokenizer, plan);
        return exit_code::done;
    }
    row("model", checkpoint.name());
    row("path", checkpoint.path().string());
    print_config(checkpoint.config());
    print_tokenizer(tokenizer);
    print_formats(checkpoint);
    print_plan(plan, checkpoint.config());
    return exit_code::done;
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    options->run.sequences = 0;
    command
        .add_option("model", options->run.model,
                    "A Hugging Face directory, a GGUF file, a name in the local Hugging Face "
                    "cache, or demo")
        ->required()
        ->type_name("MODEL");
    add_quantize_options(command, options->run);
    add_context_option(command, options->run.context);
    add_kv_option(command, options->run.kv);
    add_device_options(command, options->run);
    add_json_flag(command, options->json);
    return [options] { return run(*options); };
}

}  // namespace

extern const Command info_command;
const Command info_command{
    .name = "info",
    .summary = "Describe a model, and the memory it takes",
    .description =
        "Prints a model's architecture, sizes and weight formats, and the device memory that "
        "grading with it takes at a context length, compared with what is free. Loads nothing; "
        "works without a Vulkan device too.",
    .example = "assay info demo --context 2048 --kv f16",
    .add_options = add_options,
    .uses_device = true};

}  // namespace assay::cli
