#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <string>

#include "grader/cli/commands.h"
#include "grader/cli/help.h"
#include "grader/cli/lavapipe.h"

namespace assay::cli {
namespace {

constexpr const char* description =
    "Assay grades texts with a language model that was trained to judge, on any Vulkan 1.3 "
    "device.";
constexpr const char* footer =
    "Start here:\n"
    "  assay grade --model demo -i grader/samples/absolute.jsonl\n"
    "  assay COMMAND --help       what a command does, its options and an example\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but some items are unscored.";

int report(const std::string& command, const char* message, int code) {
    std::string line(message);
    for (char& c : line)
        if (c == '\n') c = ' ';
    std::fprintf(stderr, "%s: %s\n", command.c_str(), line.c_str());
    return code;
}

// CLI11 shows help and version through exceptions too.
int report(const CLI::App& app, const std::string& command, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    report(command, error.what(), exit_code::wrong_usage);
    std::fprintf(stderr, "%s --help shows how it is used.\n", command.c_str());
    return exit_code::wrong_usage;
}

int run(int argc, char** argv) {
    CLI::App app(description, "assay");
    app.set_version_flag("--version", "assay " ASSAY_VERSION);
    app.footer(footer);
    app.require_subcommand(0, 1);
    app.formatter(std::make_shared<HelpFormatter>());

    std::map<const CLI::App*, std::pair<const Command*, Action>> actions;
    for (const Command* command : commands()) {
        CLI::App* parser = app.add_subcommand(
            std::string(command->name), std::string(command->summary) + ".\n\n" +
                                            wrapped(std::string(command->description), help_width));
        parser->group("Commands");
        parser->footer("Example:\n  " + std::string(command->example));
        Action action = command->add_options(*parser);
        actions[parser] = {command, std::move(action)};
    }

    std::string name = "assay";
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        for (const CLI::App* parsed : app.get_subcommands()) name += " " + parsed->get_name();
        return report(app, name, error);
    }
    if (app.get_subcommands().empty()) {
        std::fputs(app.help().c_str(), stdout);
        return exit_code::done;
    }
    const auto& [command, action] = actions.at(app.get_subcommands().front());
    try {
        if (command->uses_device) move_to_lavapipe_without_gpu(argv);
        return action();
    } catch (const UsageError& error) {
        name += " " + std::string(command->name);
        report(name, error.what(), exit_code::wrong_usage);
        std::fprintf(stderr, "%s --help shows how it is used.\n", name.c_str());
        return exit_code::wrong_usage;
    } catch (const std::bad_alloc&) {
        return report("assay", "out of memory", exit_code::failed);
    } catch (const std::exception& error) {
        return report("assay", error.what(), exit_code::failed);
    }
}

}  // namespace
}  // namespace assay::cli

int main(int argc, char** argv) { return assay::cli::run(argc, argv); }
