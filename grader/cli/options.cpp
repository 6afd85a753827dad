#include "grader/cli/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

namespace assay::cli {
namespace {

CLI::Validator number_check(double least, double most, const std::string& allowed) {
    return CLI::Validator(
        [=](std::string& text) {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            const bool is_number = !text.empty() && *end == '\0' && std::isfinite(value);
            return is_number && value >= least && value <= most
                       ? std::string()
                       : "\"" + text + "\" given, " + allowed + " expected";
        },
        "");
}

std::string number_text(double number) {
    std::ostringstream text;
    text << number;
    return text.str();
}

}  // namespace

CLI::Validator number_from(double least) {
    return number_check(least, std::numeric_limits<double>::max(),
                        "a number from " + number_text(least));
}

CLI::Validator number_between(double least, double most) {
    return number_check(least, most,
                        "a number from " + number_text(least) + " to " + number_text(most));
}

CLI::Validator integer_between(std::uint64_t least, std::uint64_t most) {
    return CLI::Validator(
        [=](std::string& text) {
            std::uint64_t value = 0;
            const char* const end = text.data() + text.size();
            const auto [stopped, error] = std::from_chars(text.data(), end, value);
            if (error != std::errc() || stopped != end || value < least || value > most)
                return "\"" + text + "\" given, a whole number from " + std::to_string(least) +
                       " to " + std::to_string(most) + " expected";
            text = std::to_string(value);  // without zeros in front, which CLI11 reads as octal
            return std::string();
        },
        "");
}

CLI::Validator one_of(std::vector<std::string> names) {
    return CLI::Validator(
        [names = std::move(names)](std::string& name) {
            if (std::ranges::find(names, name) != names.end()) return std::string();
            std::string allowed;
            for (const std::string& each : names) allowed += (allowed.empty() ? "" : ", ") + each;
            return "\"" + name + "\" given, one of " + allowed + " expected";
        },
        "");
}

CLI::Option* add_model_option(CLI::App& command, std::string& model) {
    return command
        .add_option("-m,--model", model,
                    "A Hugging Face directory, a GGUF file, a name in the local Hugging Face "
                    "cache, or demo")
        ->required()
        ->type_name("MODEL");
}

void add_disable_option(CLI::App& command, std::vector<Tier>& disabled) {
    command
        .add_option_function<std::vector<std::string>>(
            "--disable",
            [&disabled](const std::vector<std::string>& names) {
                for (const std::string& name : names) disabled.push_back(*tier_from_name(name));
            },
            "Go without what the device may have, separated by commas: float16, dot, coopmat, "
            "coopmat_s8, coopmat2 (`assay devices` lists them)")
        ->delimiter(',')
        ->check(one_of({tier_names.begin(), tier_names.end()}))
        ->type_name("TIERS");
}

void add_tune_option(CLI::App& command, bool& tuned) {
    command.add_flag_callback(
        "--no-tune", [&tuned] { tuned = false; },
        "Compute matrix products as usual: do not measure on the first use of a GPU what is "
        "fastest on it (a minute), nor go by what `assay bench tune` found");
}

void add_device_options(CLI::App& command, RunOptions& options) {
    CLI::Option* one =
        command
            .add_option_function<std::string>(
                "--device", [&options](const std::string& name) { options.devices = {name}; },
                "Index or part of a name, as `assay devices` lists them (default: the fastest)")
            ->type_name("DEVICE");
    command
        .add_option("--devices", options.devices,
                    "Several, separated by commas: the model's layers are split over them by free "
                    "memory")
        ->delimiter(',')
        ->excludes(one)
        ->type_name("DEVICES");
    add_disable_option(command, options.disabled);
    add_tune_option(command, options.tuned);
    command
        .add_option_function<std::string>(
            "--experts-on",
            [&options](const std::string& where) { options.experts_on_host = where == "host"; },
            "Where a mixture's experts lie: device (default), or host: in the host's memory, with "
            "those in use copied to the device as far as they fit")
        ->check(one_of({"device", "host"}))
        ->type_name("WHERE");
}

void add_kv_option(CLI::App& command, Cache& kv) {
    command
        .add_option_function<std::string>(
            "--kv", [&kv](const std::string& name) { kv = *cache_from_name(name); },
            "Format of the KV cache: f16 (default), f32 or q8_0, which takes half the memory of "
            "f16")
        ->check(one_of(cache_names()))
        ->type_name("FORMAT");
}

void add_activations_option(CLI::App& command, bool& int8_activations) {
    command
        .add_option_function<std::string>(
            "--activations",
            [&int8_activations](const std::string& name) {
                int8_activations = name == activations_name(true);
            },
            "What weights of whole numbers (Q8_0, Q4_K ...) are multiplied with: float (default), "
            "or int8, rounded to 8 bits in blocks of 32, which may be faster and changes results "
            "a little (`assay drift` tells by how much)")
        ->check(one_of({std::string(activations_name(false)), std::string(activations_name(true))}))
        ->type_name("NUMBERS");
}

std::string_view activations_name(bool int8_activations) {
    return int8_activations ? "int8" : "float";
}

void add_context_option(CLI::App& command, std::uint32_t& context) {
    command
        .add_option("--context", context,
                    "Most tokens of a prompt with its answer (default: what the model takes, at "
                    "most 4096)")
        ->check(integer_between(1, most_tokens))
        ->type_name("TOKENS");
}

void add_json_flag(CLI::App& command, bool& json) {
    command.add_flag("--json", json, "Print JSON, for programs");
}

void add_quiet_flag(CLI::App& command, bool& quiet) {
    command.add_flag("-q,--quiet", quiet, "No progress and no summary");
}

}  // namespace assay::cli
